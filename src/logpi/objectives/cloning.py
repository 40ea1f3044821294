"""J = E_D[log π(a|s)]: behavioral cloning."""

from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, mean
from logpi.objectives.evaluated import at_rows
from logpi.types import Batch


class LogLikelihood(Objective):
    """mean log π_θ(a|s) over valid rows: the likelihood of what another policy did, whatever it was worth.

    The policy gradient is the same with every row weighted by its credit: with Φ = 1 in every row of a window `score`
    is this objective. Source: Pomerleau 1991, "Efficient training of artificial neural networks for autonomous
    navigation"; the course notes "Policy gradients", on imitation learning.
    """

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The mean log-likelihood, in nats."""
        return mean(at_rows(params, batch).log_prob(batch.action), batch)

    def info(self, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
        """`log_likelihood`: the mean of log π(a|s)."""
        return {"log_likelihood": self(params, batch)}


log_likelihood = LogLikelihood()
