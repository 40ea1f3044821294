"""Evolution strategies: random directions weighted by fitness; the score-function gradient of a Gaussian over θ."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.perturbation.directions import default_num_directions, gaussian, keep_all, sample_directions
from logpi.perturbation.fitness_shaping import identity_shaping
from logpi.perturbation.protocol import Estimate
from logpi.types import Number


class EvolutionStrategies(eqx.Module):
    """Evolution strategies, ĝ = 1/(2mσ) Σ_i [F(θ + σε_i) − F(θ − σε_i)] ε_i.

    With `forward_differences`, ĝ = 1/(mσ) Σ_i [F(θ + σε_i) − F(θ)] ε_i. If F = U, ĝ is an unbiased estimate of
    ∇E[U(θ + σε)]. It is `Regression` with ΔΘᵀΔΘ replaced by its mean, mσ² I: the same for whole blocks of orthogonal
    directions, and much cheaper for many parameters.

    - `sigma`: σ > 0, the scale of displacements.
    - `distribution`: of directions ε, `gaussian` or `orthogonal`.
    - `num_directions`: m; None for as many as one iteration tries.
    - `shaping`: fitness F from the returns of all members: `identity_shaping`, or `centered_ranks`, which makes ĝ
      invariant to the scale of returns (ĝ then estimates the gradient of a mean rank).

    The variance is that of a mean of m independent terms.

    Source: Salimans et al. 2017, "Evolution strategies as a
    scalable alternative to reinforcement learning" (no weight decay, no virtual batch normalization).
    """

    sigma: Number
    distribution: Callable = eqx.field(static=True, default=gaussian)
    num_directions: int | None = eqx.field(static=True, default=None)
    shaping: Callable = eqx.field(static=True, default=identity_shaping)

    count, directions, keep = default_num_directions, sample_directions, keep_all

    def __call__(
        self,
        displacements: Float[Array, "M P"],
        plus: Float[Array, "K M"],
        minus: Float[Array, "K M"],
        separation: float,
    ) -> Estimate:
        """Estimate ĝ as the mean of ½ (F₊ − F₋) ε / σ.

        - `displacements`: σε_i, one row per direction.
        - `plus`, `minus`: returns of K episodes on both sides of each direction.
        - `separation`: distance of the two sides in units of the displacement: 2 central, 1 forward.
        """
        above, below = self.shaping(jnp.stack([jnp.mean(plus, axis=0), jnp.mean(minus, axis=0)]))
        terms = ((above - below) / separation)[:, None] * displacements / self.sigma**2
        return *mean_and_variance(terms), {}


def mean_and_variance(terms: Float[Array, "M P"]) -> tuple[Float[Array, " P"], Float[Array, " P"]]:
    """Compute the mean of the rows, and its variance if they are independent; NaN for fewer than two rows."""
    rows = len(terms)
    variance = jnp.var(terms, axis=0, ddof=1) if rows > 1 else jnp.full(terms.shape[1], jnp.nan)
    return jnp.mean(terms, axis=0), variance / rows
