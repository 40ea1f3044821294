"""The trajectory of a host rollout: its fields, with log μ(a|s) of its actions, computed in one batch."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from logpi.policies.behavior import Behavior
from logpi.policies.evaluate import evaluate_behavior
from logpi.policies.memory import as_first_row
from logpi.types import Memory, Trajectory


def scored_trajectory(
    mu: Behavior, fields: dict[str, Any], num_envs: int, complete: bool, before: PyTree[Shaped[Array, "N ..."]] = ()
) -> Trajectory:
    """Make the trajectory of a host rollout under μ from its fields, see `HostRollout`.

    - `complete`: its columns are whole episodes.
    - `before`: what μ remembered in each environment before a window; () for whole episodes and a memoryless μ.
    """
    rows = {name: x for name, x in fields.items() if name != "memory"}  # what μ remembers afterwards
    if not mu.is_recurrent:
        log_prob = behavior_log_probs(mu, rows["obs"], rows["action"], num_envs)
        return Trajectory(**rows, log_prob=log_prob, complete=complete)
    columns = rows["valid"].shape[1]
    memory = as_first_row(mu.initial(num_envs) if complete else before, columns // num_envs)
    tau = Trajectory(**rows, log_prob=jnp.zeros(rows["valid"].shape), complete=complete, memory=Memory(policy=memory))
    return dataclasses.replace(tau, log_prob=recurrent_log_probs(mu, tau, num_envs))


def behavior_log_probs(
    mu: Behavior, obs: PyTree[Shaped[Array, "T C ..."]], action: PyTree[Shaped[Array, "T C ..."]], num_envs: int
) -> Float[Array, "T C"]:
    """Compute log μ(a|s) of every row; column e · N + i belongs to environment i, and to member i of a population."""
    rows = lambda tree: jax.tree.map(lambda x: x.reshape(-1, num_envs, *x.shape[2:]), tree)
    return evaluate_behavior(mu, rows(obs)).log_prob(rows(action)).reshape(jax.tree.leaves(obs)[0].shape[:2])


def recurrent_log_probs(mu: Behavior, tau: Trajectory, num_envs: int) -> Float[Array, "T C"]:
    """Compute log μ(a|history) of every row under a μ that remembers; columns are those of `behavior_log_probs`."""
    steps, columns = tau.valid.shape
    episodes = lambda tree: jax.tree.map(lambda x: x.reshape(len(x), -1, num_envs, *x.shape[2:]), tree)

    def of_episodes(obs: PyTree, action: PyTree, begins: Array, memory: PyTree) -> Float[Array, "T N"]:
        return mu.unroll(obs, begins, jax.tree.map(lambda h: h[0], memory))[0].log_prob(action)

    given = map(episodes, (tau.obs, tau.action, tau.begins, tau.memory.policy))
    return jax.vmap(of_episodes, in_axes=1, out_axes=1)(*given).reshape(steps, columns)
