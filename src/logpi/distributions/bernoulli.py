"""The Bernoulli distribution: a vector of independent binary actions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, Key


class Bernoulli(eqx.Module):
    """π(a) = Π_d ς(z_d)^{a_d} (1 − ς(z_d))^{1−a_d}, a_d ∈ {0, 1}, ς(z) = 1/(1 + e^{−z}).

    Batched over the leading axes of the logits z; events are summed over the last.

    >>> Bernoulli(jnp.zeros(3)).entropy()  # 3 log 2
    Array(2.0794415, dtype=float32)
    """

    logits: Float[Array, "*B A"]

    def noise(self, key: Key[Array, ""]) -> Float[Array, "*B A"]:
        """Standard logistic noise."""
        return jr.logistic(key, self.logits.shape, self.logits.dtype)

    def push(self, noise: Float[Array, "*B A"]) -> Int[Array, "*B A"]:
        """a_d = 1 where z_d + ε_d > 0: P(ε > −z) = ς(z) for standard logistic ε."""
        return (self.logits + noise > 0).astype(jnp.int32)

    def sample(self, key: Key[Array, ""]) -> Int[Array, "*B A"]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str]:
        """Method of `numpy.random.Generator` that draws the noise, with `{0}` for the shape."""
        return ["logistic(size={0})"]

    def log_prob(self, action: Int[Array, "*B A"]) -> Float[Array, "*B"]:
        """Σ_d log ς(±z_d), the sign + where a_d = 1."""
        return jnp.sum(jax.nn.log_sigmoid(jnp.where(action > 0, self.logits, -self.logits)), axis=-1)

    def entropy(self) -> Float[Array, "*B"]:
        """−Σ_d [p log p + (1 − p) log(1 − p)] at p = ς(z_d), in nats."""
        on, off, p = self._terms()
        return -jnp.sum(p * on + (1 - p) * off, axis=-1)

    def kl(self, other: "Bernoulli") -> Float[Array, "*B"]:
        """KL(self‖other) = Σ_d [p log(p/p') + (1 − p) log((1 − p)/(1 − p'))], in nats."""
        (on, off, p), (other_on, other_off, _) = self._terms(), other._terms()
        return jnp.sum(p * (on - other_on) + (1 - p) * (off - other_off), axis=-1)

    def mode(self) -> Int[Array, "*B A"]:
        """a_d = 1 where ς(z_d) > ½."""
        return (self.logits > 0).astype(jnp.int32)

    def to_env(self, action: Int[Array, "..."]) -> Int[Array, "..."]:
        """Action sent to the environment: the sampled one."""
        return action

    def _terms(self) -> tuple[Float[Array, "*B A"], Float[Array, "*B A"], Float[Array, "*B A"]]:
        """log p, log(1 − p), p."""
        return jax.nn.log_sigmoid(self.logits), jax.nn.log_sigmoid(-self.logits), jax.nn.sigmoid(self.logits)
