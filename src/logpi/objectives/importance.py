"""J = E[ρ Φ]: the surrogate of importance sampling."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.distributions.protocol import Distribution
from logpi.objectives.base import Objective, total
from logpi.objectives.outputs import Outputs
from logpi.types import Batch

LARGEST_LOG_RATIO = 20.0


class Importance(Objective):
    """Surrogate L(θ_old, θ) = Σ ρ Φ / scale, ρ = π_θ(a|s) / μ(a|s); ∇L at θ_old is the score-function gradient.

    Source: Kakade and Langford 2002; Schulman et al. 2015 (TRPO), eq. (14).
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the surrogate: the predicted change of J, up to a constant."""
        return total(ratio(outputs.pi, batch) * batch.credit, batch)


importance = Importance()


def ratio(pi: Distribution, batch: Batch) -> Float[Array, "*B"]:
    """Compute ρ = exp(log π_θ(a|s) − log μ(a|s)) at every row, the exponent clipped to ±20 so that nothing overflows.

    - `pi`: π_θ at the batch's rows.
    """
    log_ratio = pi.log_prob(batch.action) - batch.log_prob
    return jnp.exp(jnp.clip(log_ratio, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))
