"""J = E[min(ρΦ, clip(ρ)Φ)]: PPO's surrogate."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, total
from logpi.objectives.importance import ratio
from logpi.types import Batch


class Clipped(Objective):
    """L^CLIP = Σ min(ρ Φ, clip(ρ, 1 − ε, 1 + ε) Φ) / scale: no reward for moving ρ further than ε from 1.

    The gradient of a row is zero where Φ > 0 and ρ > 1 + ε, and where Φ < 0 and ρ < 1 − ε; elsewhere it is that of
    ρ Φ. ε → ∞ is `importance`.

    - `clip_range`: ε > 0; a number, an array or a schedule.

    Source: Schulman et al. 2017 (PPO), eq. (7).
    """

    clip_range: Any

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The clipped surrogate."""
        rho = ratio(params, batch)
        near = jnp.clip(rho, 1 - self.clip_range, 1 + self.clip_range)
        return total(jnp.minimum(rho * batch.credit, near * batch.credit), batch)

    def info(self, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
        """`clip_fraction`: the share of valid rows with |ρ − 1| > ε."""
        far = batch.valid & (jnp.abs(ratio(params, batch) - 1) > self.clip_range)
        return {"clip_fraction": jnp.sum(far, dtype=float) / jnp.maximum(jnp.sum(batch.valid, dtype=float), 1)}
