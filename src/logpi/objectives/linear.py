"""J = ĝᵀθ: a gradient that is already known, as an objective."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective
from logpi.types import Batch, ravel


class LinearObjective(Objective):
    """J(θ) = ĝᵀθ, whose gradient is ĝ wherever θ is: so that every update serves an estimate made without one.

    - `direction`: ĝ, laid out as `logpi.types.ravel` lays out θ.
    """

    direction: Float[Array, " P"]

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """ĝᵀθ; the batch changes nothing."""
        del batch
        return jnp.vdot(self.direction, ravel(params)[0])
