"""Random directions, weighted by what they return: the score function of a Gaussian over θ."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.perturbation.directions import default_num_directions, gaussian, keep_all, sample_directions
from logpi.perturbation.fitness_shaping import identity_shaping
from logpi.perturbation.protocol import Estimate
from logpi.types import Number


class EvolutionStrategies(eqx.Module):
    """ĝ = 1/(2mσ) Σ_i [F(θ + σε_i) − F(θ − σε_i)] ε_i; or, paired `forward_differences`, 1/(mσ) Σ_i [F(θ + σε_i) −
    F(θ)] ε_i.

    An unbiased estimate of ∇E[U(θ + σε)] where F = U. It is `Regression` with ΔΘᵀΔΘ replaced by its mean, mσ² I: the
    same for whole blocks of orthogonal directions, and much cheaper for many parameters.

    - `scale`: σ > 0.
    - `draw`: `gaussian` or `orthogonal` directions ε.
    - `number`: m, how many; None takes what one iteration tries.
    - `shaping`: F from the returns of all members: `identity_shaping`, or `centered_ranks`, which makes ĝ
      indifferent to how returns are scaled (it then estimates the gradient of a mean rank).

    The variance is that of a mean of m independent terms. Source: Salimans et al. 2017, "Evolution strategies as a
    scalable alternative to reinforcement learning" (no weight decay, no virtual batch normalization).
    """

    sigma: Number
    distribution: Callable = eqx.field(static=True, default=gaussian)
    num_directions: int | None = eqx.field(static=True, default=None)
    shaping: Callable = eqx.field(static=True, default=identity_shaping)

    count, directions, keep = default_num_directions, sample_directions, keep_all

    def __call__(
        self, kept: Float[Array, "M P"], plus: Float[Array, "K M"], minus: Float[Array, "K M"], span: float
    ) -> Estimate:
        """The mean of F ε / σ."""
        above, below = self.shaping(jnp.stack([jnp.mean(plus, axis=0), jnp.mean(minus, axis=0)]))
        terms = ((above - below) / span)[:, None] * kept / self.sigma**2
        return *mean_and_variance(terms), {}


def mean_and_variance(terms: Float[Array, "M P"]) -> tuple[Float[Array, " P"], Float[Array, " P"]]:
    """The mean of the rows, and its variance if they are independent; NaN for fewer than two."""
    number = len(terms)
    spread = jnp.var(terms, axis=0, ddof=1) if number > 1 else jnp.full(terms.shape[1], jnp.nan)
    return jnp.mean(terms, axis=0), spread / number
