"""Statistics of the episodes that ended in a rollout, those begun in an earlier rollout included."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from logpi.core.double import Double, Ratio
from logpi.core.undefined import UNDEFINED
from logpi.types import Trajectory


def episode_statistics(tau: Trajectory, running: Double) -> tuple[dict[str, Array | Ratio], Double]:
    """Compute (metrics, return so far of each unfinished episode).

    - `running`: return so far of the episodes that were unfinished after the rollout before, [N].

    Metrics: `episodes`, the number that ended; `return_mean, return_min, return_max, length_mean` over them,
    `UNDEFINED` if none did; `return_error`, the standard error of the mean return, `UNDEFINED` for fewer than two;
    `steps`, the number of valid rows. Returns are summed in `Double` and become doubles on the host (`host_metrics`).
    """

    def row(running: Double, x: tuple[Array, Array, Array]) -> tuple[Double, Double]:
        reward, valid, done = x
        total = running + jnp.where(valid, reward, 0)
        return total.where(~(done & valid)), total

    running, total = lax.scan(row, running, (tau.reward, tau.valid, tau.done))
    ended = tau.done & tau.valid
    episodes = jnp.sum(ended, dtype=float)
    count = jnp.maximum(episodes, 1)
    defined = lambda x, least=1: jnp.where(episodes >= least, x, UNDEFINED)
    exactly = lambda x, divisor: Ratio(x.where(episodes >= 1, UNDEFINED), divisor)
    of_ended = total.where(ended).sum()
    squared_deviations = jnp.sum(jnp.where(ended, total.high - of_ended.high / count, 0) ** 2)
    one = jnp.ones_like(count)
    return {
        "steps": jnp.sum(tau.valid, dtype=jnp.int32),
        "episodes": episodes,
        "return_mean": exactly(of_ended, count),
        "return_error": defined(jnp.sqrt(squared_deviations / jnp.maximum(episodes * (episodes - 1), 1)), least=2),
        "return_min": exactly(total.where(ended, jnp.inf).min(), one),
        "return_max": exactly(total.where(ended, -jnp.inf).max(), one),
        "length_mean": defined(jnp.sum(jnp.where(ended, tau.time + 1, 0), dtype=float) / count),
    }, running
