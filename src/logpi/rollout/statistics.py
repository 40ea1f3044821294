"""Statistics of the episodes that ended in a rollout, those begun in an earlier rollout included."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from logpi.core.undefined import UNDEFINED
from logpi.types import Trajectory


def episode_statistics(tau: Trajectory, running: Float[Array, " N"]) -> tuple[dict[str, Array], Float[Array, " N"]]:
    """Compute (metrics, return so far of each unfinished episode).

    - `running`: return so far of the episodes that were unfinished after the rollout before.

    Metrics: `episodes`, the number that ended; `return_mean, return_min, return_max, length_mean` over them,
    `UNDEFINED` if none did; `return_error`, the standard error of the mean return, `UNDEFINED` for fewer than two;
    `steps`, the number of valid rows.
    """

    def row(running: Array, x: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        reward, valid, done = x
        total = running + jnp.where(valid, reward, 0)
        return jnp.where(done & valid, 0, total), total

    running, total = lax.scan(row, running, (tau.reward, tau.valid, tau.done))
    ended = tau.done & tau.valid
    episodes = jnp.sum(ended, dtype=float)
    defined = lambda x, least=1: jnp.where(episodes >= least, x, UNDEFINED)
    mean = lambda x: jnp.sum(jnp.where(ended, x, 0), dtype=float) / jnp.maximum(episodes, 1)
    return_mean = mean(total)
    squared_deviations = jnp.sum(jnp.where(ended, total - return_mean, 0) ** 2)
    return {
        "steps": jnp.sum(tau.valid, dtype=jnp.int32),
        "episodes": episodes,
        "return_mean": defined(return_mean),
        "return_error": defined(jnp.sqrt(squared_deviations / jnp.maximum(episodes * (episodes - 1), 1)), least=2),
        "return_min": defined(jnp.min(jnp.where(ended, total, jnp.inf))),
        "return_max": defined(jnp.max(jnp.where(ended, total, -jnp.inf))),
        "length_mean": defined(mean(tau.time + 1)),
    }, running
