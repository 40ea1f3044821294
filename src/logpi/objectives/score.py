"""J = E[log π(a|s) Φ]: the score-function surrogate."""

from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, total
from logpi.objectives.evaluated import at_rows
from logpi.types import Batch


class Score(Objective):
    """J̃(θ) = Σ log π_θ(a|s) Φ / scale, whose gradient Σ ∇log π_θ(a|s) Φ / scale is the likelihood-ratio estimate.

    Source: Williams 1992; Schulman et al. 2015 (stochastic computation graphs).
    """

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The surrogate's value (its gradient is what means something)."""
        return total(at_rows(params, batch).log_prob(batch.action) * batch.credit, batch)


score = Score()
