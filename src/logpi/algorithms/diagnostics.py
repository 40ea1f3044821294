"""Figures that tell a person how an iteration went."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, mean
from logpi.objectives.clipped_value import ClippedValue
from logpi.objectives.evaluated import at_rows
from logpi.objectives.value import Value
from logpi.objectives.weights import effective_sample_size, step_weights
from logpi.types import Batch

Info = dict[str, Float[Array, ""]]


def divergence(policy: PyTree, batch: Batch) -> Float[Array, ""]:
    """Mean KL(π_old‖π_θ) over the batch's states, exact."""
    return mean(batch.old.kl(at_rows(policy, batch)), batch)


def explained_variance(objective: Value | ClippedValue, critic: PyTree, batch: Batch) -> Info:
    """What is known before learning: `explained_variance` = 1 − Var(target − V)/Var(target); NaN without a critic."""
    if critic is None:
        return {"explained_variance": jnp.asarray(jnp.nan)}
    error = batch.target - objective.predict(critic, batch)
    spread = lambda x: mean(jnp.square(x - mean(x, batch)), batch)
    return {"explained_variance": 1 - spread(error) / jnp.maximum(spread(batch.target), 1e-12)}


def effective_share(objective: Objective, policy: PyTree, batch: Batch) -> Float[Array, ""]:
    """The effective sample size as a share of the batch, by the objective's own weights if it has any, else by ρ."""
    own = objective.info(policy, batch)
    return (effective_sample_size(step_weights, policy, batch) | own)["effective_share"]


def update_metrics(objective: Objective, policy: PyTree, batch: Batch) -> Info:
    """How far the policy moved, on the batch it learned from.

    `kl` is the mean KL(π_old‖π_new), `entropy` that of π_new, `effective_sample_size` (Σρ)²/Σρ² in rows (as many as
    there are valid rows where π_new = μ; Kong 1992) and `effective_share` that over the number of rows, `clip_fraction`
    0 unless the objective clips.
    """
    return {
        "clip_fraction": jnp.zeros(()),
        "kl": divergence(policy, batch),
        "entropy": mean(at_rows(policy, batch).entropy(), batch),
        **effective_sample_size(step_weights, policy, batch),
    } | objective.info(policy, batch)
