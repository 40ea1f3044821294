"""J = E_D[log π(a|s)]: behavioral cloning."""

from jaxtyping import Array, Float

from logpi.objectives.base import Objective, mean
from logpi.objectives.outputs import Outputs
from logpi.types import Batch


class LogLikelihood(Objective):
    """mean log π_θ(a|s) over valid rows, in nats: the likelihood of another policy's actions, whatever their credit.

    The policy gradient is the same with every row weighted by its credit: with Φ = 1 in every row of a window `score`
    is this objective.

    Source: Pomerleau 1991, "Efficient training of artificial neural networks for autonomous navigation"; the course
    notes "Policy gradients", on imitation learning.
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the mean log-likelihood, in nats."""
        return mean(outputs.pi.log_prob(batch.action), batch)

    def info(self, outputs: Outputs, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Return `log_likelihood`, the mean of log π(a|s) in nats."""
        return {"log_likelihood": self(outputs, batch)}


log_likelihood = LogLikelihood()
