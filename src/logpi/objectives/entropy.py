"""J = E[H(π)]: a bonus for staying undecided."""

from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, total
from logpi.objectives.evaluated import at_rows
from logpi.types import Batch


class Entropy(Objective):
    """Σ H(π_θ(·|s)) / scale, H = −E log π, in nats. Used with a weight: `score + 0.01 * entropy`.

    Source: Williams and Peng 1991; Mnih et al. 2016, §4.
    """

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The mean entropy over the batch's states."""
        return total(at_rows(params, batch).entropy(), batch)


entropy = Entropy()
