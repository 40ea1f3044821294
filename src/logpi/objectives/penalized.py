"""J = E[ρΦ] − β E[KL(π_old‖π)]: PPO's KL-penalized surrogate."""

import equinox as eqx
from jaxtyping import Array, Float

from logpi.distributions.divergence import Direction, forward
from logpi.objectives.base import Objective, total
from logpi.objectives.importance import importance
from logpi.objectives.outputs import Outputs
from logpi.types import Batch, Number


class Divergence(Objective):
    """Σ KL(π_old(·|s)‖π_θ(·|s)) / scale, in nats. Its gradient at θ_old is zero.

    - `direction`: `forward` (default), or `reverse` for KL(π_θ‖π_old).
    """

    direction: Direction = eqx.field(static=True, default=forward)

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the divergence over the batch's states, summed over valid rows and divided by the scale."""
        return total(self.direction(batch.old, outputs.pi), batch)


divergence = Divergence()


class Penalized(Objective):
    """L^KLPEN = Σ [ρ Φ − β KL(π_old‖π_θ)] / scale. β = 0 is `importance`.

    - `penalty`: β ≥ 0; a number, an array or a schedule. `AdaptivePenalty` adapts one during a run.
    - `direction`: `forward` (default), or `reverse` for KL(π_θ‖π_old).

    Source: Schulman et al. 2017 (PPO), eq. (8).
    """

    penalty: Number
    direction: Direction = eqx.field(static=True, default=forward)

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the penalized surrogate."""
        return importance(outputs, batch) - self.penalty * Divergence(self.direction)(outputs, batch)
