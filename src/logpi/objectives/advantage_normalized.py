"""An objective evaluated on credit of mean 0 and standard deviation 1."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from logpi.objectives.base import Objective, ObjectiveWrapper
from logpi.objectives.outputs import Outputs
from logpi.types import Batch


class AdvantageNormalized(ObjectiveWrapper):
    """Objective on normalized credit: Φ ↦ (Φ − mean Φ) / (std Φ + 1e-8), over the valid rows of the batch at hand.

    Around PPO's objective and under minibatches this is the usual per-minibatch advantage normalization. A batch of
    one row, or of equal credit, gets Φ = 0.

    - `objective`: the objective that is evaluated on the normalized credit; its metrics are of the credit as it was.

    Source: no equation of Schulman et al. 2017, but their implementation; Engstrom et al. 2020.
    """

    objective: Objective

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the objective on normalized credit."""
        credit = normalize_advantages(batch.credit, batch.valid)
        return self.objective(outputs, dataclasses.replace(batch, credit=credit))


def normalize_advantages(x: Float[Array, "*B"], valid: Bool[Array, "*B"]) -> Float[Array, "*B"]:
    """Compute (x − mean) / (std + 1e-8), mean and std over valid entries; 0 elsewhere.

    The largest entry is subtracted first: equal entries then leave exactly 0, and no rounding error that the division
    would blow up to ±1.
    """
    count = jnp.maximum(jnp.sum(valid, dtype=float), 1)
    shifted = jnp.where(valid, x - jnp.max(jnp.where(valid, x, -jnp.inf)), 0)
    centered = jnp.where(valid, shifted - jnp.sum(shifted) / count, 0)
    return centered / (jnp.sqrt(jnp.sum(centered**2) / count) + 1e-8)
