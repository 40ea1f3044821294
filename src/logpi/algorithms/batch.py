"""From credit and objective to ĝ: batches made of trajectories, and the gradient of an objective on them."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import PyTree

from logpi.credit.base import Credit
from logpi.objectives.base import Objective
from logpi.policies.behavior import Behavior
from logpi.policies.evaluate import evaluate_policy, evaluate_with_memory
from logpi.policies.memory import as_first_row, is_recurrent, memory_before
from logpi.types import Batch, Memory, State, Trajectory, trainable
from logpi.updates.minibatches import flatten_rows


def make_batch(credit: Credit, state: State, tau: Trajectory, old: PyTree) -> Batch:
    """Make the time-major batch of a trajectory, its credit computed with the networks of `state`.

    - `old`: π_old(·|s) at every row.

    Its scale is the number of episodes where columns are whole episodes, else the number of valid rows.
    """
    phi, target = lax.stop_gradient(credit(state, tau))
    counted = jnp.any(tau.valid, axis=0) if tau.complete else tau.valid
    scale = jnp.maximum(jnp.sum(counted, dtype=float), 1)
    return Batch(
        obs=tau.obs,
        action=tau.action,
        log_prob=tau.log_prob,
        credit=phi,
        target=target,
        valid=tau.valid,
        old=old,
        scale=scale,
        begins=tau.begins if remembers(state) else None,
        memory=lax.stop_gradient(tau.memory) if remembers(state) else Memory(),
    )


def remembers(state: State) -> bool:
    """Return True if the policy or the critic remembers, so that rows must stay in the order of time."""
    return is_recurrent(state.policy) or is_recurrent(state.critic)


def memories_before(state: State, tau: Trajectory) -> Memory:
    """Compute what the networks of `state` remember before each row of a trajectory, [T, N, ...]; () for memoryless."""

    def before(network: PyTree, memory: PyTree) -> PyTree:
        if not is_recurrent(network):
            return ()
        return memory_before(evaluate_with_memory(network, tau, memory)[1], memory)

    return Memory(before(state.policy, tau.memory.policy), before(state.critic, tau.memory.critic))


def gradient(credit: Credit, objective: Objective, state: State, tau: Trajectory) -> PyTree:
    """Compute ĝ = ∇J(θ; batch) at the policy of `state`, as a tree like its trainable part.

    The step of `PolicyGradient` with this credit and objective, under plain ascent with learning rate 1, is ĝ.
    """
    theta, rest = trainable(state.policy)
    tau = prepare_trajectory(state, tau)
    old = lax.stop_gradient(evaluate_policy(state.policy, tau))
    batch = to_sampling_unit(objective, make_batch(credit, state, tau, old))
    return jax.grad(lambda theta: objective.evaluate(eqx.combine(theta, rest), batch))(theta)


def to_sampling_unit(objective: Objective, batch: Batch) -> Batch:
    """Lay the batch out for an objective: one axis of rows for unit "step", whole columns for unit "trajectory".

    Batches of networks that remember keep their columns.
    """
    return flatten_rows(batch) if objective.sampling_unit == "step" and batch.begins is None else batch


def prepare_trajectory(state: State, tau: Trajectory) -> Trajectory:
    """Prepare a trajectory for learning: rows that are not valid hold zeros, and whole episodes begin with the initial
    memories of these networks, whoever acted in them; windows keep the memories that they were collected with.
    """
    tau = mask_invalid(tau)
    if not (tau.complete and remembers(state)):
        return tau
    first = lambda network: as_first_row(Behavior(network).initial(tau.valid.shape[1]))
    return dataclasses.replace(tau, memory=Memory(first(state.policy), first(state.critic)))


def mask_invalid(tau: Trajectory) -> Trajectory:
    """Set rows that are not valid to zero, so that nothing in them, not even a NaN, can reach a gradient."""
    axes = tau.valid.ndim
    spread = lambda x: tau.valid.reshape(*tau.valid.shape, *[1] * (x.ndim - axes))
    masked = jax.tree.map(
        lambda x: jnp.where(spread(x), x, jnp.zeros_like(x)), dataclasses.replace(tau, memory=Memory())
    )
    return dataclasses.replace(masked, memory=tau.memory)  # it has no rows
