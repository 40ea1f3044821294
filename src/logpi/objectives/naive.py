"""J = E[π(a|s) Φ]: ascent on the policy itself, which is wrong."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, total
from logpi.objectives.evaluated import at_rows
from logpi.types import Batch


class Naive(Objective):
    """Σ π_θ(a|s) Φ / scale, with gradient Σ ∇π Φ: the first idea, and a wrong one. Use `score`.

    Actions are drawn from π, so each already comes as often as π(a|s) says: E[∇π Φ] = Σ_a π ∇π Φ, where ∇J asks for
    Σ_a ∇π Φ. What is taken often is reinforced twice, for being good and for being frequent, and a baseline, which
    cannot change ∇J, changes this. Dividing by π(a|s) mends it, and ∇π / π = ∇log π. It is here to be measured.

    Where π is uniform over K actions it is ∇J / K, so the first step is right, and the ones after it are not.
    """

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The value: the mean of probability times credit."""
        return total(jnp.exp(at_rows(params, batch).log_prob(batch.action)) * batch.credit, batch)


naive = Naive()
