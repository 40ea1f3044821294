"""Independent distributions of one kind as one: a vector of choices."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from logpi.distributions.protocol import Distribution, numpy_sampler


class Independent(eqx.Module):
    """π(a) = Π_d π_d(a_d), where π_d are the entries along the last batch axis of `each`, distributions of one number.

    >>> import logpi
    >>> Independent(logpi.Categorical(jnp.zeros((3, 2)))).entropy()  # three coins: 3 log 2
    Array(2.0794415, dtype=float32)
    """

    each: Distribution

    def noise(self, key: Key[Array, ""]) -> Float[Array, "..."]:
        """Noise of all entries."""
        return self.each.noise(key)

    def push(self, noise: Float[Array, "..."]) -> Int[Array, "*B A"]:
        """Actions of all entries, as a vector."""
        return self.each.push(noise)

    def sample(self, key: Key[Array, ""]) -> Int[Array, "*B A"]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str] | None:
        """Sampler of the entries, or None if there is none."""
        return numpy_sampler(self.each)

    def log_prob(self, action: Int[Array, "*B A"]) -> Float[Array, "*B"]:
        """Σ_d log π_d(a_d)."""
        return jnp.sum(self.each.log_prob(action), axis=-1)

    def entropy(self) -> Float[Array, "*B"]:
        """Σ_d H(π_d), in nats."""
        return jnp.sum(self.each.entropy(), axis=-1)

    def kl(self, other: "Independent") -> Float[Array, "*B"]:
        """KL(self‖other) = Σ_d KL(π_d‖π'_d), in nats."""
        return jnp.sum(self.each.kl(other.each), axis=-1)

    def mode(self) -> Int[Array, "*B A"]:
        """Modes of all entries, as a vector."""
        return self.each.mode()

    def to_env(self, action: Int[Array, "..."]) -> Int[Array, "..."]:
        """The action as the entries' `to_env` maps it."""
        return self.each.to_env(action)
