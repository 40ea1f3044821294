"""J = E_μ[w log π(a|s) Φ]: the score-function surrogate on another policy's data."""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, total
from logpi.objectives.evaluated import at_rows
from logpi.objectives.weights import effective_sample_size
from logpi.types import Batch


class ImportanceWeighted(Objective):
    """Σ w log π_θ(a|s) Φ / scale, w held fixed: its gradient is Σ w ∇log π_θ(a|s) Φ / scale at every θ.

    With `trajectory_weights` the mean gradient is ∇J(θ) whatever policy acted; with `step_weights` it is that of
    `importance`; with `unit_weights` that of `score`. `SelfNormalized` and `TruncatedWeights` go around any of them.
    Only the gradient means something, not the value.

    - `weights`: (π, batch) ↦ w.

    Products over time need columns that are whole episodes; a column that holds several is weighted by all of them.
    Source: Jie and Abbeel 2010, "On a connection between importance sampling and the likelihood ratio policy gradient".
    """

    weights: Any

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The surrogate's value (its gradient is what means something)."""
        w = lax.stop_gradient(self.weights(params, batch))
        return total(w * at_rows(params, batch).log_prob(batch.action) * batch.credit, batch)

    @property
    def sampling_unit(self) -> str:
        """The weights' own."""
        return self.weights.sampling_unit

    @property
    def has_meaningful_value(self) -> bool:
        """No: the weights change with θ, and are held fixed."""
        return False

    def info(self, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
        """`effective_sample_size` and `effective_share` of these weights, in rows or trajectories; `largest_weight`."""
        largest = jnp.max(jnp.where(batch.valid, self.weights(params, batch), 0))
        return effective_sample_size(self.weights, params, batch) | {"largest_weight": largest}
