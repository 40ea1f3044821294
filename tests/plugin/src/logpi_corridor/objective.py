"""J = mean exp(Φ/β) log π(a|s): regression on actions, weighted by their advantages."""

import jax.numpy as jnp

import logpi
from logpi.objectives.base import total
from logpi.types import Number


class ExponentiallyWeighted(logpi.Objective):
    """J(θ) = Σ exp(Φ/β) log π_θ(a|s) / scale, with weights of at most 20.

    - `temperature`: β > 0; the smaller, the greedier.

    Source: Peng et al. 2019, "Advantage-weighted regression", eq. (9).
    """

    temperature: Number

    def __call__(self, outputs, batch):
        """Return the weighted log-likelihood."""
        weight = jnp.minimum(jnp.exp(batch.credit / self.temperature), 20.0)
        return total(weight * outputs.pi.log_prob(batch.action), batch)
