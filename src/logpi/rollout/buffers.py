"""Buffers of a host rollout. Needs no JAX."""

from typing import Any

import numpy as np

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.rollout.memory import FIELDS as MEMORY_FIELDS
from logpi.rollout.memory import memory_fields
from logpi.rollout.observations import Store

STEP_FIELDS = ("action", "env_action", "reward", "time", "terminated", "truncated", "valid")


def allocate_buffers(
    collect: Collect,
    draws: list[np.ndarray],
    store: type[Store],
    obs: HostTree,
    answer: tuple[HostTree, ...],
    memory: tuple[np.ndarray, ...] = (),
) -> dict[str, Any]:
    """Allocate arrays [T, columns, ...] for observations like `obs[N]` and (action, env_action) like `answer`.

    A window has one column per environment; whole episodes have one column per episode. `env_action`, the action for
    the environment, is stored in windows alone: their unfinished episodes can be replayed. `memory` are the leaves
    [N, ...] of what a policy remembers.
    """
    n = len(tree_leaves(obs)[0])
    if isinstance(collect, Steps):
        length, columns, logged = draws[0].shape[0], n, n
    else:
        length, columns, logged = draws[0].shape[1], n * collect.episodes_per_env, 0
    action, env_action = answer[:2]
    flag = lambda: np.zeros((length, columns), bool)
    return {
        "action": tree_map(lambda x: np.zeros((length, columns, *x.shape[1:]), x.dtype), action),
        "env_action": tree_map(lambda x: np.zeros((length, logged, *x.shape[1:]), x.dtype), env_action),
        "reward": flag().astype(np.float32),
        "time": flag().astype(np.int32),
        "terminated": flag(),
        "truncated": flag(),
        "valid": flag(),
        **memory_fields(memory),
    } | store.allocate(obs, length, columns)


def observation_fields(rows: dict[str, Any]) -> dict[str, Any]:
    """Select the fields in which observations are stored."""
    return {name: x for name, x in rows.items() if name not in (*STEP_FIELDS, *MEMORY_FIELDS)}
