"""Random directions, all coordinates at once, by least squares."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.perturbation.directions import default_num_directions, gaussian, keep_all, sample_directions
from logpi.perturbation.protocol import Estimate
from logpi.types import Number


class Regression(eqx.Module):
    """ĝ = argmin ‖g‖ among the minimizers of Σ_i (ΔU_i − gᵀΔ_i)², Δ_i = σ ε_i.

    ΔU_i = [U(θ + Δ_i) − U(θ − Δ_i)] / 2; or, paired `forward_differences`, U(θ + Δ_i) − U(θ). The solution is ΔΘ⁺ΔU,
    found by singular values; those below ε · max(m, P) of the largest count as zero.

    - `scale`: σ > 0.
    - `draw`: `gaussian` or `orthogonal` directions ε.
    - `number`: m, how many; None takes what one iteration tries. With m < P, ĝ is the gradient's projection on the
      directions tried.

    Figures: `rank` of ΔΘ, `condition` (largest singular value over the least that counts). The variance is that of
    least squares with noise of any size in each ΔU_i, a residual r_i standing for r_i² / (1 − h_i) at leverage h_i
    (MacKinnon and White 1985, "HC2"); NaN without more directions than rank.
    Source: Liu's notes, "linear regression gradient estimate"; Peters and Schaal 2006, "Policy gradient
    methods for robotics", on finite-difference methods.
    """

    sigma: Number
    distribution: Callable = eqx.field(static=True, default=gaussian)
    num_directions: int | None = eqx.field(static=True, default=None)

    count, directions, keep = default_num_directions, sample_directions, keep_all

    def __call__(
        self, kept: Float[Array, "M P"], plus: Float[Array, "K M"], minus: Float[Array, "K M"], span: float
    ) -> Estimate:
        """The least-squares solution of least norm."""
        y = jnp.mean(plus - minus, axis=0) / span
        left, singular, right = jnp.linalg.svd(kept, full_matrices=False)
        counts = singular > max(kept.shape) * jnp.finfo(kept.dtype).eps * singular[0]
        inverse = jnp.where(counts, 1 / singular, 0)
        left = left * counts[None].astype(left.dtype)
        seen = left.T @ y
        residual, leverage = y - left @ seen, jnp.sum(left**2, axis=1)
        rank = jnp.sum(counts, dtype=float)
        noise = jnp.where(rank < len(y), residual**2 / jnp.maximum(1 - leverage, 1e-6), jnp.nan)
        answer = lambda x: (inverse[:, None] * right).T @ x
        variance = answer(left.T) ** 2 @ noise
        condition = singular[0] * jnp.max(inverse)
        return answer(seen), variance, {"rank": rank, "condition": condition}
