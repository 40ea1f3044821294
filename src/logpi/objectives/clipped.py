"""J = E[min(ρΦ, clip(ρ)Φ)]: PPO's surrogate."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.objectives.base import Objective, total
from logpi.objectives.importance import ratio
from logpi.objectives.outputs import Outputs
from logpi.types import Batch, Number


class Clipped(Objective):
    """Clipped surrogate L^CLIP = Σ min(ρ Φ, clip(ρ, 1 − ε, 1 + ε) Φ) / scale, ρ = π_θ(a|s) / μ(a|s).

    The gradient of a row is zero where Φ > 0 and ρ > 1 + ε, and where Φ < 0 and ρ < 1 − ε; elsewhere it is that of
    ρ Φ. ε → ∞ is `importance`.

    - `clip_range`: ε > 0, dimensionless; a number, an array or a schedule. PPO's paper uses 0.2.

    Source: Schulman et al. 2017 (PPO), eq. (7).
    """

    clip_range: Number

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the clipped surrogate."""
        rho = ratio(outputs.pi, batch)
        clipped_rho = jnp.clip(rho, 1 - self.clip_range, 1 + self.clip_range)
        return total(jnp.minimum(rho * batch.credit, clipped_rho * batch.credit), batch)

    def info(self, outputs: Outputs, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Return `clip_fraction`, the share of valid rows with |ρ − 1| > ε."""
        far = batch.valid & (jnp.abs(ratio(outputs.pi, batch) - 1) > self.clip_range)
        return {"clip_fraction": jnp.sum(far, dtype=float) / jnp.maximum(jnp.sum(batch.valid, dtype=float), 1)}
