"""The arrays that a host rollout is written into. Needs no JAX."""

from typing import Any

import numpy as np

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.rollout.observations import Store

STEP_FIELDS = ("action", "sent", "reward", "time", "terminated", "truncated", "valid")


def allocate_buffers(
    collect: Collect, draws: list[np.ndarray], store: type[Store], obs: Any, answer: Any
) -> dict[str, Any]:
    """Arrays [T, columns, ...] for observations like `obs[N]` and (action, what is sent) like `answer`.

    A window has a column for each environment, whole episodes have one for each of them. What is sent is kept for
    windows alone: there, episodes go on.
    """
    n = len(tree_leaves(obs)[0])
    if isinstance(collect, Steps):
        length, columns, kept = draws[0].shape[0], n, n
    else:
        length, columns, kept = draws[0].shape[1], n * collect.episodes_per_env, 0
    action, sent = answer
    flag = lambda: np.zeros((length, columns), bool)
    return {
        "action": tree_map(lambda x: np.zeros((length, columns, *x.shape[1:]), x.dtype), action),
        "sent": tree_map(lambda x: np.zeros((length, kept, *x.shape[1:]), x.dtype), sent),
        "reward": flag().astype(np.float32),
        "time": flag().astype(np.int32),
        "terminated": flag(),
        "truncated": flag(),
        "valid": flag(),
    } | store.allocate(obs, length, columns)


def observation_fields(rows: dict[str, Any]) -> dict[str, Any]:
    """The fields that observations are kept in."""
    return {name: x for name, x in rows.items() if name not in STEP_FIELDS}
