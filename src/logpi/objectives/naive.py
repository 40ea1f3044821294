"""J = E[π(a|s) Φ]: ascent on the probability itself, which is wrong."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.objectives.base import Objective, total
from logpi.objectives.outputs import Outputs
from logpi.types import Batch


class Naive(Objective):
    """Σ π_θ(a|s) Φ / scale, with gradient Σ ∇π Φ: a plausible first idea, and a wrong one. Use `score`.

    Actions are drawn from π, so an action already occurs with frequency π(a|s): E[∇π Φ] = Σ_a π ∇π Φ, where ∇J needs
    Σ_a ∇π Φ. A frequent action is reinforced twice, for its credit and for its frequency, and a baseline, which
    cannot change ∇J, changes this. Dividing by π(a|s) corrects it, and ∇π / π = ∇log π. This objective exists to be
    measured.

    Where π is uniform over K actions the gradient is ∇J / K: the first step is right, and the ones after it are not.
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return probability times credit, summed over valid rows and divided by the scale."""
        return total(jnp.exp(outputs.pi.log_prob(batch.action)) * batch.credit, batch)


naive = Naive()
