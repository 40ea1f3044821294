"""From credit and objective to ĝ: batches made of trajectories, and the gradient of an objective on them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import PyTree

from logpi.credit.base import Credit
from logpi.objectives.base import Objective
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Batch, State, Trajectory, trainable
from logpi.updates.minibatches import flatten_rows


def make_batch(credit: Credit, state: State, tau: Trajectory, old: PyTree) -> Batch:
    """Make the time-major batch of a trajectory, its credit computed with the networks of `state`.

    - `old`: π_old(·|s) at every row.

    Its scale is the number of episodes where columns are whole episodes, else the number of valid rows.
    """
    phi, target = lax.stop_gradient(credit(state, tau))
    counted = jnp.any(tau.valid, axis=0) if tau.complete else tau.valid
    scale = jnp.maximum(jnp.sum(counted, dtype=float), 1)
    return Batch(tau.obs, tau.action, tau.log_prob, phi, target, tau.valid, old, scale)


def gradient(credit: Credit, objective: Objective, state: State, tau: Trajectory) -> PyTree:
    """Compute ĝ = ∇J(θ; batch) at the policy of `state`, as a tree like its trainable part.

    The step of `PolicyGradient` with this credit and objective, under plain ascent with learning rate 1, is ĝ.
    """
    theta, rest = trainable(state.policy)
    old = lax.stop_gradient(evaluate_policy(state.policy, tau))
    batch = to_sampling_unit(objective, make_batch(credit, state, mask_invalid(tau), old))
    return jax.grad(lambda theta: objective.evaluate(eqx.combine(theta, rest), batch))(theta)


def to_sampling_unit(objective: Objective, batch: Batch) -> Batch:
    """Lay the batch out for an objective: one axis of rows for unit "step", whole columns for unit "trajectory"."""
    return flatten_rows(batch) if objective.sampling_unit == "step" else batch


def mask_invalid(tau: Trajectory) -> Trajectory:
    """Set rows that are not valid to zero, so that nothing in them, not even a NaN, can reach a gradient."""
    axes = tau.valid.ndim
    spread = lambda x: tau.valid.reshape(*tau.valid.shape, *[1] * (x.ndim - axes))
    return jax.tree.map(lambda x: jnp.where(spread(x), x, jnp.zeros_like(x)), tau)
