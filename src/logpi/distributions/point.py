"""The point mass on the mode of another distribution: greedy actions, as used in evaluation."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from logpi.distributions.protocol import Distribution


class Point(eqx.Module):
    """δ(a − mode): the action is always `distribution.mode()`, and the noise is empty."""

    distribution: Distribution

    def noise(self, key: Key[Array, ""]) -> Float[Array, "*B 0"]:
        """Empty noise: zero numbers per row."""
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
        """The action as the underlying distribution's `to_env` maps it."""
        return self.distribution.to_env(action)

    def _rows(self) -> tuple[int, ...]:
        """Batch shape of the parameters."""
        return jax.eval_shape(self.distribution.entropy).shape
