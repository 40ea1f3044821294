"""Trees of dicts, tuples and lists, without JAX: what composite observations and actions are on the host."""

from collections.abc import Callable
from typing import Any

import numpy as np


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves in JAX's order: a dict's by their sorted keys."""
    if isinstance(tree, np.ndarray):  # the usual case first: this is called in every step
        return [tree]
    if isinstance(tree, dict):
        return [leaf for name in sorted(tree) for leaf in tree_leaves(tree[name])]
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in tree_leaves(part)]
    return [] if tree is None else [tree]


def tree_map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The tree with the function of each leaf, and of the leaves at its place in the rest, in its place.

    >>> tree_map(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, {"x": 10, "y": (20, 30)})
    {'x': 11, 'y': (22, 33)}
    """
    if isinstance(tree, dict):
        return {name: tree_map(function, tree[name], *[other[name] for other in rest]) for name in tree}
    if isinstance(tree, tuple | list):
        return tuple(tree_map(function, *parts) for parts in zip(tree, *rest, strict=True))
    return function(tree, *rest)
