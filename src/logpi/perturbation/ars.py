"""Augmented random search: the best directions only, in units of how much returns vary."""

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

    The b directions with the greatest max(U(θ + νε_i), U(θ − νε_i)); σ_R is the standard deviation of their 2b
    returns. With plain ascent, `Ascent(optax.sgd, α)`, the step is the paper's; with `normalize_observations` and a
    linear policy it is V2-t. Where all returns are equal there is no step.

    - `scale`: ν > 0.
    - `top`: b ≤ m; None takes all.
    - `draw`: `gaussian` or `orthogonal` directions ε.
    - `number`: m, how many; None takes what one iteration tries.

    The variance is that of a mean of b independent terms: it knows nothing of the choice. Raises LogpiError for a b
    that is too great.
    Source: Mania et al. 2018, "Simple random search provides a competitive approach to reinforcement learning",
    algorithm 2.
    """

    sigma: Number
    top: int | None = eqx.field(static=True, default=None)
    distribution: Callable = eqx.field(static=True, default=gaussian)
    num_directions: int | None = eqx.field(static=True, default=None)

    count, directions, keep = default_num_directions, sample_directions, keep_all

    def __call__(
        self, kept: Float[Array, "M P"], plus: Float[Array, "K M"], minus: Float[Array, "K M"], span: float
    ) -> Estimate:
        """The mean over the best directions."""
        if self.top is not None and not 1 <= self.top <= len(kept):
            raise LogpiError(f"top is {self.top}; allowed: 1 … {len(kept)}, the number of directions")
        above, below = jnp.mean(plus, axis=0), jnp.mean(minus, axis=0)
        best = lax.top_k(jnp.maximum(above, below), self.top or len(above))[1]
        deviation = jnp.std(jnp.concatenate([above[best], below[best]]))
        unit = jnp.where(deviation > 0, deviation, 1)
        terms = ((above - below)[best] / unit)[:, None] * kept[best] / self.sigma
        return *mean_and_variance(terms), {}
