"""A distribution with all its mass on another one's mode: how a policy acts when it is evaluated."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree


class Point(eqx.Module):
    """Acts with `distribution.mode()`, always; its noise is nothing."""

    distribution: Any

    def noise(self, key: Key[Array, ""]) -> Float[Array, "*B 0"]:
        """No noise: an array of no numbers for each row."""
        del key
        return jnp.zeros((*self._rows(), 0))

    def push(self, noise: Float[Array, "*B 0"]) -> PyTree:
        """The mode."""
        del noise
        return self.distribution.mode()

    def sample(self, key: Key[Array, ""]) -> PyTree:
        """The mode."""
        return self.push(self.noise(key))

    def log_prob(self, action: PyTree) -> Float[Array, "*B"]:
        """0: the mode has probability 1."""
        del action
        return jnp.zeros(self._rows())

    def to_env(self, action: PyTree) -> PyTree:
        """As the distribution itself maps it."""
        return self.distribution.to_env(action)

    def _rows(self) -> tuple[int, ...]:
        return jax.eval_shape(self.distribution.entropy).shape
