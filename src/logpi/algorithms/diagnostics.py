"""Metrics of one iteration of learning."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.core.undefined import UNDEFINED
from logpi.distributions.divergence import Direction, forward
from logpi.objectives.base import Objective, mean
from logpi.objectives.outputs import Outputs
from logpi.objectives.value import CriticObjective
from logpi.objectives.weights import effective_sample_size, step_weights
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Batch

Info = dict[str, Float[Array, ""]]


def divergence(policy: PyTree, batch: Batch, direction: Direction = forward) -> Float[Array, ""]:
    """Compute the mean KL(π_old‖π_θ) over the batch's states, or that of the other direction, exact, in nats."""
    return mean(direction(batch.old, evaluate_policy(policy, batch)), batch)


def explained_variance(objective: CriticObjective, critic: PyTree, batch: Batch) -> Info:
    """Compute `explained_variance` = 1 − Var(target − V)/Var(target) before learning; `UNDEFINED` without a critic."""
    if critic is None:
        return {"explained_variance": jnp.asarray(UNDEFINED)}
    error = batch.target - objective.predict(Outputs(critic, batch))
    variance = lambda x: mean(jnp.square(x - mean(x, batch)), batch)
    return {"explained_variance": 1 - variance(error) / jnp.maximum(variance(batch.target), 1e-12)}


def effective_share(objective: Objective, policy: PyTree, batch: Batch) -> Float[Array, ""]:
    """Compute the effective sample size as a share of the batch, by the objective's own weights if any, else by ρ."""
    outputs = Outputs(policy, batch)
    by_ratio = effective_sample_size(step_weights, outputs.pi, batch)
    return (by_ratio | objective.info(outputs, batch))["effective_share"]


def update_metrics(objective: Objective, policy: PyTree, batch: Batch) -> Info:
    """Measure how far an update moved the policy, on the batch that it learned from.

    - `policy`: π_new, after the update.

    Returns `kl`, the mean KL(π_old‖π_new); `entropy`, that of π_new; `effective_sample_size` (Σρ)²/Σρ² in rows (as many
    as there are valid rows where π_new = μ; Kong 1992) and `effective_share`, that over the number of rows;
    `clip_fraction`, 0 unless the objective clips; and the objective's own metrics.
    """
    outputs = Outputs(policy, batch)
    return {
        "clip_fraction": jnp.zeros(()),
        "kl": mean(batch.old.kl(outputs.pi), batch),
        "entropy": mean(outputs.pi.entropy(), batch),
        **effective_sample_size(step_weights, outputs.pi, batch),
    } | objective.info(outputs, batch)
