"""J = E[ρΦ] − β E[KL(π_old‖π)]: PPO's other surrogate."""

from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, total
from logpi.objectives.evaluated import at_rows, evaluated
from logpi.objectives.importance import importance
from logpi.types import Batch, Number


class Divergence(Objective):
    """Σ KL(π_old(·|s)‖π_θ(·|s)) / scale, in nats. Its gradient at θ_old is zero."""

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The mean divergence over the batch's states."""
        return total(batch.old.kl(at_rows(params, batch)), batch)


divergence = Divergence()


class Penalized(Objective):
    """L^KLPEN = Σ [ρ Φ − β KL(π_old‖π_θ)] / scale. β = 0 is `importance`.

    - `penalty`: β ≥ 0; `AdaptivePenalty` finds one as it goes.

    Source: Schulman et al. 2017 (PPO), eq. (8).
    """

    penalty: Number

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The penalized surrogate."""
        params = evaluated(params, batch)
        return importance(params, batch) - self.penalty * divergence(params, batch)
