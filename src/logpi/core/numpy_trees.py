"""Trees of dicts, tuples and lists without JAX: composite observations and actions on the host."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

HostTree: TypeAlias = np.ndarray | dict[str, Any] | tuple[Any, ...] | list[Any]
"""A NumPy array, or a dict, tuple or list of such trees: observations and actions of N environments, [N, ...] each."""


def tree_leaves(tree: object) -> list[Any]:
    """List the leaves in JAX's order: dicts by sorted key, None as no leaf."""
    if isinstance(tree, np.ndarray):  # the most frequent case first: called at every environment step
        return [tree]
    if isinstance(tree, dict):
        return [leaf for name in sorted(tree) for leaf in tree_leaves(tree[name])]
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in tree_leaves(part)]
    return [] if tree is None else [tree]


def tree_map(function: Callable[..., Any], tree: object, *rest: Any) -> Any:
    """Apply `function` to the corresponding leaves of trees of one structure; lists become tuples.

    >>> tree_map(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, {"x": 10, "y": (20, 30)})
    {'x': 11, 'y': (22, 33)}
    """
    if isinstance(tree, dict):
        return {name: tree_map(function, tree[name], *[other[name] for other in rest]) for name in tree}
    if isinstance(tree, tuple | list):
        return tuple(tree_map(function, *parts) for parts in zip(tree, *rest, strict=True))
    return function(tree, *rest)
