"""Regression gradient: random directions of θ, and ĝ by least squares."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.perturbation.directions import default_num_directions, gaussian, keep_all, sample_directions
from logpi.perturbation.protocol import Estimate
from logpi.types import Number


class Regression(eqx.Module):
    """Regression gradient: ĝ = ΔΘ⁺ΔU, the least-norm minimizer g of Σ_i (ΔU_i − gᵀΔ_i)², with Δ_i = σ ε_i.

    ΔU_i = [U(θ + Δ_i) − U(θ − Δ_i)] / 2, or U(θ + Δ_i) − U(θ) with `forward_differences`. The pseudo-inverse is by
    singular value decomposition; singular values below eps · max(m, P) times the largest count as zero.

    - `sigma`: σ > 0, the scale of displacements.
    - `distribution`: of directions ε, `gaussian` or `orthogonal`.
    - `num_directions`: m; None for as many as one iteration tries. With m < P, ĝ is the gradient's projection on the
      directions tried.

    Metrics: `rank` of ΔΘ, `condition` (largest singular value over the smallest that is not zero). The variance is that
    of least squares with heteroscedastic noise: that of ΔU_i is estimated by r_i² / (1 − h_i), with residual r_i and
    leverage h_i (MacKinnon and White 1985, "HC2"); NaN unless there are more directions than the rank.

    Source: Liu's notes, "linear regression gradient estimate"; Peters and Schaal 2006, "Policy gradient
    methods for robotics", on finite-difference methods.
    """

    sigma: Number
    distribution: Callable = eqx.field(static=True, default=gaussian)
    num_directions: int | None = eqx.field(static=True, default=None)

    count, directions, keep = default_num_directions, sample_directions, keep_all

    def __call__(
        self,
        displacements: Float[Array, "M P"],
        plus: Float[Array, "K M"],
        minus: Float[Array, "K M"],
        separation: float,
    ) -> Estimate:
        """Estimate ĝ by least squares.

        - `displacements`: ΔΘ, one row Δ_i per direction.
        - `plus`, `minus`: returns of K episodes on both sides of each direction.
        - `separation`: distance of the two sides in units of the displacement: 2 central, 1 forward.
        """
        y = jnp.mean(plus - minus, axis=0) / separation
        left, singular, right = jnp.linalg.svd(displacements, full_matrices=False)
        nonzero = singular > max(displacements.shape) * jnp.finfo(displacements.dtype).eps * singular[0]
        inverse = jnp.where(nonzero, 1 / singular, 0)
        left = left * nonzero[None].astype(left.dtype)
        projected = left.T @ y
        residual, leverage = y - left @ projected, jnp.sum(left**2, axis=1)
        rank = jnp.sum(nonzero, dtype=float)
        noise = jnp.where(rank < len(y), residual**2 / jnp.maximum(1 - leverage, 1e-6), jnp.nan)
        solve = lambda x: (inverse[:, None] * right).T @ x  # ΔΘ⁺ in the basis of left singular vectors
        variance = solve(left.T) ** 2 @ noise
        condition = singular[0] * jnp.max(inverse)
        return solve(projected), variance, {"rank": rank, "condition": condition}
