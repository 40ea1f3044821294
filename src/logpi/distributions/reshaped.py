"""A distribution over vectors whose actions are reshaped: to a matrix, or to a single number."""

import equinox as eqx
from jaxtyping import Array, Float, Key, Shaped

from logpi.distributions.protocol import Distribution, numpy_sampler


class Reshaped(eqx.Module):
    """The distribution `vector` with actions reshaped to `shape`; probabilities are those of the vector.

    - `vector`: a distribution over vectors of Π `shape` entries.
    - `shape`: of one action.

    >>> import jax, jax.numpy as jnp, logpi
    >>> gaussian = logpi.Gaussian(jnp.zeros(6), jnp.zeros(6))
    >>> Reshaped(gaussian, (2, 3)).sample(jax.random.key(0)).shape
    (2, 3)
    """

    vector: Distribution
    shape: tuple[int, ...] = eqx.field(static=True)

    def noise(self, key: Key[Array, ""]) -> Shaped[Array, "..."]:
        """Noise of the vector."""
        return self.vector.noise(key)

    def push(self, noise: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """Action of the vector, reshaped."""
        return self._shaped(self.vector.push(noise))

    def sample(self, key: Key[Array, ""]) -> Shaped[Array, "..."]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str] | None:
        """Sampler of the vector, or None if there is none."""
        return numpy_sampler(self.vector)

    def log_prob(self, action: Shaped[Array, "..."]) -> Float[Array, "*B"]:
        """log π of the flattened action."""
        rows = action.shape[: action.ndim - len(self.shape)]
        return self.vector.log_prob(action.reshape(*rows, -1))

    def entropy(self) -> Float[Array, "*B"]:
        """Entropy of the vector, in nats."""
        return self.vector.entropy()

    def kl(self, other: "Reshaped") -> Float[Array, "*B"]:
        """KL(self‖other) of the vectors, in nats: reshaping is a bijection."""
        return self.vector.kl(other.vector)

    def mode(self) -> Shaped[Array, "..."]:
        """Mode of the vector, reshaped."""
        return self._shaped(self.vector.mode())

    def to_env(self, action: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """The action with every entry mapped by the vector's `to_env`."""
        return self.vector.to_env(action)

    def _shaped(self, action: Shaped[Array, "*B A"]) -> Shaped[Array, "..."]:
        return action.reshape(*action.shape[:-1], *self.shape)
