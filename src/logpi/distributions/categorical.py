"""The categorical distribution: one of K actions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, Key


class Categorical(eqx.Module):
    """π(a) = exp(zₐ) / Σ_k exp(z_k), over actions a ∈ {0, …, K−1}, batched over the leading axes of the logits z.

    An action with zₐ = −∞ is illegal: its probability is exactly 0, it is never sampled, it adds nothing to entropy or
    KL, and no gradient reaches it. At least one action must be legal; `logpi.policies.action_masking` ensures it.

    >>> Categorical(jnp.array([0.0, 0.0])).entropy()  # log 2
    Array(0.6931472, dtype=float32)
    >>> Categorical(jnp.array([0.0, -jnp.inf, 0.0])).entropy()  # two legal actions: log 2 again
    Array(0.6931472, dtype=float32)
    """

    logits: Float[Array, "*B K"]

    def noise(self, key: Key[Array, ""]) -> Float[Array, "*B K"]:
        """Standard Gumbel noise, one number per action."""
        return jr.gumbel(key, self.logits.shape, self.logits.dtype)

    def push(self, noise: Float[Array, "*B K"]) -> Int[Array, "*B"]:
        """The Gumbel-max trick: argmaxₐ (zₐ + gₐ) ~ π (Gumbel 1954)."""
        return jnp.argmax(self.logits + noise, axis=-1).astype(jnp.int32)

    def sample(self, key: Key[Array, ""]) -> Int[Array, "*B"]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str]:
        """Method of `numpy.random.Generator` that draws the noise, with `{0}` for the shape."""
        return ["gumbel(size={0})"]

    def log_prob(self, action: Int[Array, "*B"]) -> Float[Array, "*B"]:
        """log π(a); −∞ for an illegal action."""
        taken = jax.nn.one_hot(action, self.logits.shape[-1], dtype=bool)  # a masked sum: its gradient needs no scatter
        return jnp.sum(jnp.where(taken, self._log_probs(), 0), axis=-1)

    def entropy(self) -> Float[Array, "*B"]:
        """−Σₐ π(a) log π(a), in nats."""
        return -_mean(self._log_probs(), self._log_probs())

    def kl(self, other: "Categorical") -> Float[Array, "*B"]:
        """KL(self‖other) = Σₐ π(a) (log π(a) − log π'(a)), in nats; ∞ where π' forbids what π does not."""
        log_p = self._log_probs()
        return _mean(log_p, log_p - other._log_probs())

    def mode(self) -> Int[Array, "*B"]:
        """The most probable action."""
        return jnp.argmax(self.logits, axis=-1).astype(jnp.int32)

    def to_env(self, action: Int[Array, "*B"]) -> Int[Array, "*B"]:
        """Action sent to the environment: the sampled one."""
        return action

    def _log_probs(self) -> Float[Array, "*B K"]:
        """log π of all actions."""
        return jax.nn.log_softmax(self.logits)


def _mean(log_p: Float[Array, "*B K"], x: Float[Array, "*B K"]) -> Float[Array, "*B"]:
    """Σₐ p(a) x(a), where actions of probability 0 contribute 0 for any x: 0 · log 0 = 0."""
    p = jnp.exp(log_p)
    return jnp.sum(p * jnp.where(p > 0, x, 0), axis=-1)
