"""J = E[H(π)]: the entropy bonus."""

from jaxtyping import Array, Float

from logpi.objectives.base import Objective, total
from logpi.objectives.outputs import Outputs
from logpi.types import Batch


class Entropy(Objective):
    """Entropy bonus Σ H(π_θ(·|s)) / scale, H = −E log π, in nats. Used with a factor: `score + 0.01 * entropy`.

    Source: Williams and Peng 1991; Mnih et al. 2016, §4.
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the entropy over the batch's states, summed over valid rows and divided by the scale."""
        return total(outputs.pi.entropy(), batch)


entropy = Entropy()
