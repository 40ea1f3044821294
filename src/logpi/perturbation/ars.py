"""Augmented random search (ARS): the best directions only, normalized by the standard deviation of returns."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from logpi.errors import LogpiError
from logpi.perturbation.directions import default_num_directions, gaussian, keep_all, sample_directions
from logpi.perturbation.evolution import mean_and_variance
from logpi.perturbation.protocol import Estimate
from logpi.types import Number


class ARS(eqx.Module):
    """ĝ = 1/(b σ_R) Σ_{i ∈ top b} [U(θ + νε_i) − U(θ − νε_i)] ε_i.

    The sum runs over the b directions with the greatest max(U(θ + νε_i), U(θ − νε_i)); σ_R is the standard deviation
    of their 2b returns. With plain ascent, `Ascent(optax.sgd, α)`, the step is the paper's; with
    `normalize_observations` and a linear policy it is the paper's V2-t. If all returns are equal, ĝ = 0.

    - `sigma`: ν > 0, the scale of displacements.
    - `top`: b, 1 ≤ b ≤ m; None for b = m.
    - `distribution`: of directions ε, `gaussian` or `orthogonal`.
    - `num_directions`: m; None for as many as one iteration tries.

    The variance is that of a mean of b independent terms; it does not account for their selection. Raises LogpiError
    if b > m.

    Source: Mania et al. 2018, "Simple random search provides a competitive approach to reinforcement learning",
    algorithm 2.
    """

    sigma: Number
    top: int | None = eqx.field(static=True, default=None)
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
        """Estimate ĝ from the b best directions.

        - `displacements`: νε_i, one row per direction.
        - `plus`, `minus`: returns of K episodes on both sides of each direction.
        - `separation`: distance of the two sides in units of the displacement: 2 central, 1 forward.
        """
        if self.top is not None and not 1 <= self.top <= len(displacements):
            raise LogpiError(f"top is {self.top}; allowed: 1 … {len(displacements)}, the number of directions")
        above, below = jnp.mean(plus, axis=0), jnp.mean(minus, axis=0)
        best = lax.top_k(jnp.maximum(above, below), self.top or len(above))[1]
        deviation = jnp.std(jnp.concatenate([above[best], below[best]]))
        unit = jnp.where(deviation > 0, deviation, 1)
        terms = ((above - below)[best] / unit)[:, None] * displacements[best] / self.sigma
        return *mean_and_variance(terms), {}
