"""Φ_t = c: the same credit for every action."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.types import Number, State, Trajectory


class Constant(Credit):
    """Constant credit Φ_t = c in every row, also as target: the policy gradient then is behavioral cloning of μ.

    - `value`: c, any number, default 1.
    """

    value: Number = 1.0

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return c in every row, twice."""
        del state
        phi = jnp.full_like(tau.reward, self.value)
        return phi, phi
