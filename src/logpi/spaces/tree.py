"""The structure of spaces: a Dict is a dict, a Tuple a tuple, and whatever else a leaf."""

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from gymnasium import spaces

from logpi.errors import LogpiError

SUPPORTED = spaces.Box | spaces.Discrete | spaces.MultiBinary | spaces.MultiDiscrete
HALVES = {np.dtype(wide): np.dtype(half) for wide, half in {"f8": "f4", "i8": "i4", "u8": "u4"}.items()}


def leaf_spaces(space: spaces.Space, path: str = "") -> Iterator[tuple[str, spaces.Space]]:
    """The leaves of a space and where they are, ("['camera'][0]", Box(…)), in the order of `nested.leaves`."""
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
    """Raise LogpiError unless every leaf of the space is of a kind that logpi knows, naming the one that is not."""
    for path, leaf in leaf_spaces(space):
        if not isinstance(leaf, SUPPORTED):
            place = f" at {path}" if path else ""
            raise LogpiError(
                f"{what} space {leaf}{place} is not supported; supported: Box, Discrete, MultiBinary, MultiDiscrete,"
                " and Dict and Tuple of these"
            )


def map_leaves(space: spaces.Space, make: Callable[[Any], Callable[..., Any]]) -> Callable[..., Any]:
    """One function of trees shaped like the space, from the function `make` gives for each leaf of it."""
    match space:
        case spaces.Dict():
            named = {name: map_leaves(part, make) for name, part in space.items()}
            return lambda *trees: {name: f(*[tree[name] for tree in trees]) for name, f in named.items()}
        case spaces.Tuple():
            parts = [map_leaves(part, make) for part in space]
            return lambda *trees: tuple(f(*leaves) for f, *leaves in zip(parts, *trees, strict=True))
    return make(space)


def row_writer(space: spaces.Space) -> Callable[[Any, int, Any], None]:
    """The function (arrays, i, x) that writes x, one element of the space, into row i of arrays like the space."""
    match space:
        case spaces.Dict():
            parts = [(name, row_writer(part)) for name, part in space.items()]
        case spaces.Tuple():
            parts = list(enumerate(map(row_writer, space)))
        case _:
            return operator.setitem

    def write(arrays: Any, i: int, x: Any) -> None:
        for name, put in parts:
            put(arrays[name], i, x[name])

    return write


def empty(space: spaces.Space, rows: int) -> Callable[[], Any]:
    """The function that makes zeros for so many elements of the space, in the dtypes they are kept in."""

    def zeros(leaf: Any) -> Callable[[], np.ndarray]:
        shape, dtype = (rows, *leaf.shape), buffer_dtype(leaf)
        return lambda: np.zeros(shape, dtype)

    return map_leaves(space, zeros)


def copy_as_stored(space: spaces.Space) -> Callable[[Any], Any]:
    """The function that copies a batch of elements into the dtypes they are kept in."""
    return map_leaves(space, lambda leaf: functools.partial(np.array, dtype=buffer_dtype(leaf)))


def buffer_dtype(space: spaces.Space) -> np.dtype:
    """The dtype a leaf's elements are kept in: the space's own, 64 bits as 32."""
    dtype = np.dtype(space.dtype or np.float32)
    return HALVES.get(dtype, dtype)
