"""An objective that sees its batch's credit at mean 0 and standard deviation 1."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective
from logpi.types import Batch


class AdvantageNormalized(Objective):
    """Φ ↦ (Φ − mean Φ) / (std Φ + 1e-8) over the valid rows of whatever batch it is handed, then the objective.

    Around PPO's objective and under minibatches this is the usual per-minibatch advantage normalization. A batch of
    one row, or of equal credit, gets Φ = 0.
    """

    objective: Objective

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The objective on standardized credit."""
        credit = normalize_advantages(batch.credit, batch.valid)
        return self.objective(params, dataclasses.replace(batch, credit=credit))

    @property
    def sampling_unit(self) -> str:
        """The objective's own."""
        return self.objective.sampling_unit

    @property
    def has_meaningful_value(self) -> bool:
        """If the objective is."""
        return self.objective.has_meaningful_value

    def info(self, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
        """The objective's own figures."""
        return self.objective.info(params, batch)


def normalize_advantages(x: Float[Array, "*B"], valid: Array) -> Float[Array, "*B"]:
    """(x − mean) / (std + 1e-8), mean and std over valid entries; 0 elsewhere.

    The largest entry is subtracted first: equal entries then leave exactly 0, no rounding to be blown up to ±1.
    """
    count = jnp.maximum(jnp.sum(valid, dtype=float), 1)
    shifted = jnp.where(valid, x - jnp.max(jnp.where(valid, x, -jnp.inf)), 0)
    centered = jnp.where(valid, shifted - jnp.sum(shifted) / count, 0)
    return centered / (jnp.sqrt(jnp.sum(centered**2) / count) + 1e-8)
