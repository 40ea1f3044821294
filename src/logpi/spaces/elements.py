"""Elements of spaces as an environment answers them: each keeps its value where it is stored, or its fault is named.

An answer fits if nothing has to be broadcast, truncated, wrapped or dropped to store it: the structure and the shapes
are the space's own, floats come only where the space has floats, and every number is within the buffer's dtype.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces

from logpi.errors import reason_of
from logpi.spaces.tree import buffer_dtype, leaf_spaces

# Kinds of numbers (as in `np.dtype.kind`) that may be stored as each kind: whole numbers in a box of floats keep their
# value, floats in a box of whole numbers do not.
STORED_AS = {"f": "fiub", "i": "iub", "u": "iub", "b": "b"}


@dataclass(frozen=True)
class Fault:
    """Reason why a value cannot be stored as an element of a space.

    - `text`: in words, without the place.
    - `path`: of the leaf, as "['camera'][0]"; "" where the space is no tree.
    - `non_finite`: the number, where it is infinite or no number; else None.
    """

    text: str
    path: str = ""
    non_finite: str | None = None

    def __str__(self) -> str:
        """Return the fault with its place."""
        return f"{self.path}: {self.text}" if self.path else self.text


def element_fault(space: spaces.Space, x: object, rows: tuple[int, ...] = ()) -> Fault | None:
    """Say what keeps `x` from being stored as an element of the space; None if nothing does.

    - `rows`: leading axes of a batch of elements, such as (N,).

    >>> print(element_fault(spaces.Discrete(5), 7))
    7 is outside Discrete(5): allowed are 0 … 4
    """
    return next(_faults(space, x, "", functools.partial(_leaf_fault, rows=rows)), None)


def form_fault(space: spaces.Space, x: object, rows: tuple[int, ...] = ()) -> Fault | None:
    """Say what keeps arrays of this structure, these shapes and dtypes from being elements; None if nothing does.

    - `x`: a tree of anything with shape and dtype, such as the outputs of `jax.eval_shape`.
    - `rows`: leading axes of a batch of elements.
    """
    return next(_faults(space, x, "", functools.partial(_form_fault, rows=rows)), None)


class Unfit(Exception):
    """An element that does not fit its space, where it was to be stored."""


def row_writer(space: spaces.Space) -> Callable[[Any, int, Any], None]:
    """Build the function (arrays, i, x) that writes x, an element of the space, into row i of arrays [N, ...].

    Called in every step: what has the shape, dtype or type of an earlier element is written at once, all else is
    checked first. The function raises Unfit for what does not fit: NumPy would broadcast, cut off or convert it.
    """
    match space:
        case spaces.Dict():
            parts = [(name, row_writer(part)) for name, part in space.items()]
        case spaces.Tuple():
            parts = list(enumerate(map(row_writer, space)))
        case spaces.Discrete():
            return _index_writer(space, int(space.start), int(space.start + space.n - 1))
        case _:
            return _leaf_writer(space)
    count = len(parts)

    def write(arrays: Any, i: int, x: Any) -> None:
        if len(x) != count:
            raise Unfit
        try:
            for name, put in parts:
                put(arrays[name], i, x[name])
        except (KeyError, TypeError, IndexError):
            raise Unfit from None

    return write


def _index_writer(space: spaces.Space, low: int, high: int) -> Callable[[np.ndarray, int, Any], None]:
    """Build `row_writer` of a Discrete space of low … high: an index out of range has no encoding."""
    known = {int, np.int64, np.int32}

    def write(array: np.ndarray, i: int, x: Any) -> None:
        if (type(x) not in known or not low <= x <= high) and element_fault(space, x):
            raise Unfit
        array[i] = x

    return write


def _leaf_writer(space: spaces.Space) -> Callable[[np.ndarray, int, Any], None]:
    """Build `row_writer` of a space without parts."""
    shape, stored = space.shape or (), buffer_dtype(space)
    known: set[Any] = set()  # dtypes of arrays, and types of numbers, whose values keep their value when stored

    def write(array: np.ndarray, i: int, x: Any) -> None:
        if (x.dtype in known and x.shape == shape) if type(x) is np.ndarray else (type(x) in known):
            array[i] = x
            return
        if element_fault(space, x):
            raise Unfit
        array[i] = x
        if isinstance(x, np.ndarray | np.generic | int | float):
            dtype = np.asarray(x).dtype
            if np.can_cast(dtype, stored) or dtype.kind == "f" or isinstance(space, spaces.MultiDiscrete):
                known.add(dtype if type(x) is np.ndarray else type(x))

    return write


def index_ranges(space: spaces.Space) -> list[tuple[str, Any, Any] | None]:
    """List (path, lowest, highest) of each Discrete, MultiDiscrete or MultiBinary leaf, None of each Box.

    The order is that of `numpy_trees.tree_leaves`.
    """
    return [None if (bounds := _index_range(leaf)) is None else (path, *bounds) for path, leaf in leaf_spaces(space)]


def show_value(x: object) -> str:
    """Show a value in few words, for a message of one line."""
    if isinstance(x, np.ndarray | list | tuple | dict) and len(str(x)) > 60:
        return f"{type(x).__name__} of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
    text = " ".join(str(x).split())
    return text if len(text) <= 60 else f"{type(x).__name__} {text[:57]}…"


def _faults(
    space: spaces.Space, x: object, path: str, leaf_fault: Callable[[spaces.Space, Any], Fault | None]
) -> Iterator[Fault]:
    """Iterate over the faults of `x`, each with the path of its leaf."""
    match space:
        case spaces.Dict():
            if not isinstance(x, Mapping):
                kind = type(x).__name__
                yield Fault(f"{show_value(x)} ({kind}) is no dict: allowed are {_names(space.spaces)}", path)
                return
            for name in space.spaces:
                if name not in x:
                    yield Fault(f"a dict without {name!r}: allowed are {_names(space.spaces)}", path)
                    return
            for name in x:
                if name not in space.spaces:
                    allowed = _names(space.spaces)
                    yield Fault(f"a dict with {name!r}, which the space has not: allowed are {allowed}", path)
                    return
            for name, part in space.spaces.items():
                yield from _faults(part, x[name], f"{path}[{name!r}]", leaf_fault)
        case spaces.Tuple():
            if not isinstance(x, tuple | list) or len(x) != len(space.spaces):
                count = f" of {len(x)}" if isinstance(x, tuple | list) else ""
                yield Fault(f"{type(x).__name__}{count} is no tuple of {len(space.spaces)} parts", path)
                return
            for i, part in enumerate(space.spaces):
                yield from _faults(part, x[i], f"{path}[{i}]", leaf_fault)
        case _:
            fault = leaf_fault(space, x)
            if fault is not None:
                yield replace(fault, path=path)


def _leaf_fault(space: spaces.Space, x: object, rows: tuple[int, ...]) -> Fault | None:
    try:
        value = np.asarray(x)
    except Exception as error:
        return Fault(f"{type(x).__name__} is no array of numbers ({reason_of(error)})")
    if value.dtype.kind not in "fiub":
        return Fault(f"{show_value(x)} ({type(x).__name__}) is no array of numbers: allowed is {space}")
    if fault := _shape_fault(space, value.shape, rows):
        return fault
    dtype = buffer_dtype(space)
    if value.dtype.kind not in STORED_AS[dtype.kind]:
        return Fault(f"{value.dtype} {show_value(value)} is not {dtype}, the numbers of {space}")
    return _range_fault(space, value, dtype)


def _form_fault(space: spaces.Space, x: Any, rows: tuple[int, ...]) -> Fault | None:
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        return Fault(f"{type(x).__name__} is no array: allowed is {space}")
    if fault := _shape_fault(space, tuple(x.shape), rows):
        return fault
    kind, dtype = getattr(x.dtype, "kind", "V"), buffer_dtype(space)
    is_flag = kind == "b" and isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
    if kind not in STORED_AS[dtype.kind] or is_flag:
        return Fault(f"{x.dtype} is not {dtype}, the numbers of {space}")
    return None


def _shape_fault(space: spaces.Space, shape: tuple[int, ...], rows: tuple[int, ...]) -> Fault | None:
    wanted = (*rows, *(space.shape or ()))
    if shape == wanted:
        return None
    whose = f"a row of {space} for each environment" if rows else f"that of {space}"
    return Fault(f"shape {shape} is not {wanted}, {whose}")


def _range_fault(space: spaces.Space, value: np.ndarray, dtype: np.dtype) -> Fault | None:
    """Name the first number that is not finite, outside an index's range, or beyond the buffer's dtype."""
    if value.dtype.kind == "f":
        return _float_fault(value, dtype)
    indices = _index_range(space)
    if indices is None and dtype.kind == "f":
        return None
    if indices is not None:
        low, high = indices
        inside = (value >= low) & (value <= high)
        allowed = f"outside {space}: allowed are {low} … {high}"
    elif dtype.kind == "b":
        return None
    else:
        info = np.iinfo(dtype)
        inside, allowed = (
            (value >= info.min) & (value <= info.max),
            f"beyond {dtype}: allowed are {info.min} … {info.max}",
        )
    return None if np.all(inside) else Fault(f"{value[~np.asarray(inside)][0]} is {allowed}")


def _float_fault(value: np.ndarray, dtype: np.dtype) -> Fault | None:
    finite = np.isfinite(value)
    if not finite.all():
        number = str(value[~finite][0])
        return Fault(f"{number} is not finite", non_finite=number)
    with np.errstate(over="ignore"):
        stored = np.isfinite(value.astype(dtype))
    return None if stored.all() else Fault(f"{value[~stored][0]} is beyond {dtype}, which it is stored as")


def _index_range(space: spaces.Space) -> tuple[Any, Any] | None:
    """The lowest and highest index of a Discrete, MultiDiscrete or MultiBinary space; None for all else."""
    match space:
        case spaces.Discrete():
            return int(space.start), int(space.start + space.n - 1)
        case spaces.MultiDiscrete():
            return np.asarray(space.start), np.asarray(space.start) + np.asarray(space.nvec) - 1
        case spaces.MultiBinary():
            return 0, 1
    return None


def _names(parts: Mapping[str, spaces.Space]) -> str:
    return ", ".join(repr(name) for name in parts)
