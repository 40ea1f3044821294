"""J = ĝᵀθ: a known gradient, as an objective."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.objectives.base import Objective
from logpi.objectives.outputs import Outputs
from logpi.types import Batch, ravel


class LinearObjective(Objective):
    """J(θ) = ĝᵀθ, whose gradient is ĝ at every θ, so that any update can use an estimate made without an objective.

    - `direction`: ĝ [P], laid out as `logpi.types.ravel` lays out θ.
    """

    direction: Float[Array, " P"]

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return ĝᵀθ; no network is evaluated and the batch changes nothing."""
        del batch
        return jnp.vdot(self.direction, ravel(outputs.params)[0])
