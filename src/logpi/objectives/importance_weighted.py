"""J = E_μ[w log π(a|s) Φ]: the score-function surrogate on another policy's data."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from logpi.objectives.base import Objective, total
from logpi.objectives.outputs import Outputs
from logpi.objectives.weights import Weights, effective_sample_size
from logpi.types import Batch


class ImportanceWeighted(Objective):
    """Σ w log π_θ(a|s) Φ / scale, w held fixed: its gradient is Σ w ∇log π_θ(a|s) Φ / scale at every θ.

    With `trajectory_weights` the mean gradient is ∇J(θ) whatever policy acted; with `step_weights` it is that of
    `importance`; with `unit_weights` that of `score`. `SelfNormalized` and `TruncatedWeights` go around any of them.
    Only the gradient means something, not the value.

    - `weights`: (π, batch) ↦ w, the importance weight of every row.

    Products over time need columns that are whole episodes; a column that holds several is weighted by all of them.
    Source: Jie and Abbeel 2010, "On a connection between importance sampling and the likelihood ratio policy gradient".
    """

    weights: Weights

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the surrogate's value; only its gradient means something."""
        w = lax.stop_gradient(self.weights(outputs.pi, batch))
        return total(w * outputs.pi.log_prob(batch.action) * batch.credit, batch)

    @property
    def sampling_unit(self) -> str:
        """Sampling unit of the weights."""
        return self.weights.sampling_unit

    @property
    def has_meaningful_value(self) -> bool:
        """False: the weights change with θ, and are held fixed."""
        return False

    def info(self, outputs: Outputs, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Return the weights' `effective_sample_size` and `effective_share`, and the `largest_weight`."""
        largest = jnp.max(jnp.where(batch.valid, self.weights(outputs.pi, batch), 0))
        return effective_sample_size(self.weights, outputs.pi, batch) | {"largest_weight": largest}
