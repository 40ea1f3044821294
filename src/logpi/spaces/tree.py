"""Structure of nested spaces: a Dict is a dict, a Tuple a tuple, and every other space a leaf."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces

from logpi.errors import LogpiError

LeafSpace: TypeAlias = spaces.Box | spaces.Discrete | spaces.MultiBinary | spaces.MultiDiscrete
HALVES = {np.dtype(wide): np.dtype(half) for wide, half in {"f8": "f4", "i8": "i4", "u8": "u4"}.items()}


def leaf_spaces(space: spaces.Space, path: str = "") -> Iterator[tuple[str, spaces.Space]]:
    """Iterate over (path, leaf), as ("['camera'][0]", Box(…)), in the order of `numpy_trees.tree_leaves`."""
    match space:
        case spaces.Dict():
            for name, part in sorted(space.items()):
                yield from leaf_spaces(part, f"{path}[{name!r}]")
        case spaces.Tuple():
            for i, part in enumerate(space):
                yield from leaf_spaces(part, f"{path}[{i}]")
        case _:
            yield path, space


def check(space: spaces.Space, what: str) -> None:
    """Raise LogpiError, naming the place, unless every leaf is of a supported kind, and every key of a Dict is text.

    - `what`: "observation" or "action", for the message.
    """
    _check_keys(space, what, "")
    for path, leaf in leaf_spaces(space):
        if not isinstance(leaf, LeafSpace):
            place = f" at {path}" if path else ""
            raise LogpiError(
                f"{what} space {leaf}{place} is not supported; supported: Box, Discrete, MultiBinary, MultiDiscrete,"
                " and Dict and Tuple of these"
            )


def _check_keys(space: spaces.Space, what: str, path: str) -> None:
    """Raise LogpiError for a key that is no text: a saved run could not give it back, since JSON has no other keys."""
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            if not isinstance(key, str):
                place = f" at {path}" if path else ""
                raise LogpiError(
                    f"{what} space{place} has the key {key!r} ({type(key).__name__}); allowed: text, as {str(key)!r}"
                )
            _check_keys(part, what, f"{path}[{key!r}]")
    if isinstance(space, spaces.Tuple):
        for i, part in enumerate(space.spaces):
            _check_keys(part, what, f"{path}[{i}]")


def map_leaves(space: spaces.Space, make: Callable[[Any], Callable[..., Any]]) -> Callable[..., Any]:
    """Build a function of trees shaped like the space from a function for each leaf, which `make(leaf)` gives.

    The structure is walked once, here; the function itself only indexes.
    """
    match space:
        case spaces.Dict():
            named = {name: map_leaves(part, make) for name, part in space.items()}
            return lambda *trees: {name: f(*[tree[name] for tree in trees]) for name, f in named.items()}
        case spaces.Tuple():
            parts = [map_leaves(part, make) for part in space]
            return lambda *trees: tuple(f(*leaves) for f, *leaves in zip(parts, *trees, strict=True))
    return make(space)


def empty(space: spaces.Space, rows: int) -> Callable[[], Any]:
    """Build the function that makes zeros [rows, ...] shaped like the space, in buffer dtypes."""

    def zeros(leaf: LeafSpace) -> Callable[[], np.ndarray]:
        shape, dtype = (rows, *(leaf.shape or ())), buffer_dtype(leaf)
        return lambda: np.zeros(shape, dtype)

    return map_leaves(space, zeros)


def copy_as_stored(space: spaces.Space) -> Callable[[Any], Any]:
    """Build the function that copies a batch of elements into buffer dtypes."""
    return map_leaves(space, lambda leaf: functools.partial(np.array, dtype=buffer_dtype(leaf)))


def buffer_dtype(space: spaces.Space) -> np.dtype:
    """Give the dtype that a leaf's elements are stored in: the space's own, 64 bits as 32."""
    dtype = np.dtype(space.dtype or np.float32)
    return HALVES.get(dtype, dtype)
