"""J = E[ρ Φ]: the surrogate of importance sampling."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, total
from logpi.objectives.evaluated import at_rows
from logpi.types import Batch

LARGEST_LOG_RATIO = 20.0


class Importance(Objective):
    """L(θ_old, θ) = Σ ρ Φ / scale, ρ = π_θ(a|s) / μ(a|s); ∇L at θ_old is the score-function gradient.

    Source: Kakade and Langford 2002; Schulman et al. 2015 (TRPO), eq. (14).
    """

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The surrogate: the predicted change of J, up to a constant."""
        return total(ratio(params, batch) * batch.credit, batch)


importance = Importance()


def ratio(params: PyTree, batch: Batch) -> Float[Array, "*B"]:
    """ρ = exp(log π_θ(a|s) − log μ(a|s)), with the exponent held within ±20 so that nothing overflows."""
    difference = at_rows(params, batch).log_prob(batch.action) - batch.log_prob
    return jnp.exp(jnp.clip(difference, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))
