"""From a policy's own actions to the environment's: whole numbers from `start`, vectors within their bounds."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.spaces.tree import check, map_leaves


def to_native(space: spaces.Space) -> Callable[[Any], Any]:
    """The map from a policy's actions to those of `space`, leaf by leaf; of NumPy and of JAX arrays alike.

    - Discrete, MultiDiscrete: a + start. MultiBinary: a.
    - Box: along each dimension low + (a + 1)(high − low)/2, so that −1 … 1 spans the bounds; a dimension without both
      bounds passes as it is. Then clipped to whatever bounds there are, and rounded if the box holds whole numbers.
    """
    check(space, "action")
    return map_leaves(space, _leaf)


def from_native(space: spaces.Space) -> Callable[[Any], Any]:
    """The inverse of `to_native`: actions recorded in `space` as a policy's own, of NumPy arrays, leaf by leaf.

    - Discrete, MultiDiscrete: a − start; MultiBinary: a; int32.
    - Box: 2(a − low)/(high − low) − 1 along each dimension, a dimension without both bounds as it is; float32. Where
      both bounds are one number, 0.
    """
    check(space, "action")
    return map_leaves(space, _leaf_back)


def to_gymnasium(space: spaces.Space, name: str, first: int = 0) -> Callable[[Any], Any]:
    """The map from a policy's actions to what a Gymnasium environment is handed: of its dtypes, whole numbers as such.

    Raises LogpiError, naming the environment, for an action that is not finite; they are numbered from `first`.
    """
    check(space, "action")

    def one(leaf: Any) -> Callable[[Any], Any]:
        native, dtype, may_fail = _leaf(leaf), leaf.dtype, isinstance(leaf, spaces.Box)

        def send(x: Any) -> Any:
            # One product sees every entry, and is the quickest; it overflows for great numbers, too.
            if may_fail and not math.isfinite(np.vdot(x, x)) and not np.isfinite(x).all():
                row = np.argwhere(~np.isfinite(x))[0][0]
                raise LogpiError(f"the policy gave environment {first + row} of {name} a non-finite action: {x[row]}")
            x = native(x)
            return x if x.dtype == dtype else x.astype(dtype)

        return send

    return map_leaves(space, one)


def _leaf(space: Any) -> Callable[[Any], Any]:
    match space:
        case spaces.Box():
            return _box(space)
        case spaces.Discrete() | spaces.MultiDiscrete() if np.any(space.start):
            start = np.asarray(space.start, np.int32)
            return lambda action: action + _beside(start, action)
    return lambda action: action


def _leaf_back(space: Any) -> Callable[[Any], Any]:
    if isinstance(space, spaces.Box):
        half, middle = (x.astype(np.float64) for x in _spread(space))
        return lambda action: ((action - middle) / np.where(half > 0, half, 1)).astype(np.float32)
    start = np.asarray(getattr(space, "start", 0), np.int64)
    return lambda action: (action - start).astype(np.int32)


def _spread(space: spaces.Box) -> tuple[np.ndarray, np.ndarray]:
    """(high − low)/2 and (high + low)/2; 1 and 0 in a dimension without both bounds."""
    low, high = (bound.astype(np.float64) for bound in (space.low, space.high))
    with np.errstate(invalid="ignore"):
        both = np.isfinite(low) & np.isfinite(high)
        half, middle = np.where(both, (high - low) / 2, 1), np.where(both, (high + low) / 2, 0)
    return half.astype(np.float32), middle.astype(np.float32)


def _box(space: spaces.Box) -> Callable[[Any], Any]:
    half, middle = _spread(space)
    least, most = _within(space.low.astype(np.float64), 1), _within(space.high.astype(np.float64), -1)
    whole = np.issubdtype(space.dtype, np.integer)
    as_it_is = bool((half == 1).all() and (middle == 0).all())

    @functools.lru_cache(maxsize=8)
    def laid_out(shape: tuple[int, ...]) -> list[np.ndarray]:
        return [np.ascontiguousarray(np.broadcast_to(x, shape)) for x in (half, middle, least, most)]

    def scale(action: Any) -> Any:
        if isinstance(
            action, np.ndarray
        ):  # in every step: arrays of one shape take half the time, and `clip_range` twice
            factor, offset, floor, ceiling = laid_out(action.shape)
            wanted = action if as_it_is else action * factor + offset
            wanted = np.minimum(np.maximum(wanted, floor), ceiling)
        else:
            wanted = action if as_it_is else action * _beside(half, action) + _beside(middle, action)
            wanted = wanted.clip(_beside(least, action), _beside(most, action))
        return wanted.round() if whole else wanted

    return scale


def _within(bound: np.ndarray, inward: int) -> np.ndarray:
    """A bound in float32, never rounded outwards."""
    near = bound.astype(np.float32)
    outside = (near < bound) if inward > 0 else (near > bound)
    return np.where(outside, np.nextafter(near, np.float32(inward * np.inf)), near)


def _beside(x: np.ndarray, action: Any) -> Any:
    """With as many axes as the actions, of which `x` has the last."""
    return x[(None,) * (action.ndim - x.ndim)]
