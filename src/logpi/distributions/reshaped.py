"""A vector of actions in another shape: a matrix, a single number."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Key, Shaped


class Reshaped(eqx.Module):
    """The distribution `vector`, its actions laid out in `shape`; probabilities are those of the vector.

    >>> import jax, jax.numpy as jnp, logpi
    >>> gaussian = logpi.Gaussian(jnp.zeros(6), jnp.zeros(6))
    >>> Reshaped(gaussian, (2, 3)).sample(jax.random.key(0)).shape
    (2, 3)
    """

    vector: Any
    shape: tuple[int, ...] = eqx.field(static=True)

    def noise(self, key: Key[Array, ""]) -> Shaped[Array, "..."]:
        """The vector's noise, as it is."""
        return self.vector.noise(key)

    def push(self, noise: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """The vector's action, in shape."""
        return self._shaped(self.vector.push(noise))

    def sample(self, key: Key[Array, ""]) -> Shaped[Array, "..."]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def log_prob(self, action: Shaped[Array, "..."]) -> Float[Array, "*B"]:
        """log π of the action's entries in a row."""
        rows = action.shape[: action.ndim - len(self.shape)]
        return self.vector.log_prob(action.reshape(*rows, -1))

    def entropy(self) -> Float[Array, "*B"]:
        """The vector's."""
        return self.vector.entropy()

    def kl(self, other: "Reshaped") -> Float[Array, "*B"]:
        """KL(self‖other): that of the vectors."""
        return self.vector.kl(other.vector)

    def mode(self) -> Shaped[Array, "..."]:
        """The vector's mode, in shape."""
        return self._shaped(self.vector.mode())

    def to_env(self, action: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """As the vector maps each of its entries."""
        return self.vector.to_env(action)

    def _shaped(self, action: Shaped[Array, "*B A"]) -> Shaped[Array, "..."]:
        return action.reshape(*action.shape[:-1], *self.shape)
