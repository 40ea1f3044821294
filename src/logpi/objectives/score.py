"""J = E[log π(a|s) Φ]: the score-function surrogate."""

from jaxtyping import Array, Float

from logpi.objectives.base import Objective, total
from logpi.objectives.outputs import Outputs
from logpi.types import Batch


class Score(Objective):
    """J̃(θ) = Σ log π_θ(a|s) Φ / scale, whose gradient Σ ∇log π_θ(a|s) Φ / scale is the likelihood-ratio estimate.

    Source: Williams 1992; Schulman et al. 2015 (stochastic computation graphs).
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the surrogate's value; its gradient is the policy gradient."""
        return total(outputs.pi.log_prob(batch.action) * batch.credit, batch)


score = Score()
