"""Φ_t = c: every action is as good as any other."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.types import Number, State, Trajectory


class Constant(Credit):
    """Φ_t = c in every row, also as target: with it the policy gradient imitates whoever acted.

    - `value`: c.
    """

    value: Number = 1.0

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """c and c."""
        del state
        phi = jnp.full_like(tau.reward, self.value)
        return phi, phi
