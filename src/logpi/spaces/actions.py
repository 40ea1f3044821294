"""Maps between a policy's actions and the environment's native ones: offsets, bounds, dtypes."""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.spaces.tree import LeafSpace, check, map_leaves

if TYPE_CHECKING:
    import jax  # processes that only step environments import no JAX

UNBOUNDED = 2.0**31 - 1  # the largest int32: also the bounds of boxes that stand for "any number" of their dtype


def to_native(space: spaces.Space) -> Callable[[Any], Any]:
    """Build the map from a policy's actions to native actions in `space`, for NumPy and JAX arrays, leaf by leaf.

    - Discrete, MultiDiscrete: a + start. MultiBinary: a.
    - Box: low + (a + 1)(high − low)/2 in each dimension, so that −1 … 1 spans the bounds; a dimension without both
      bounds, or with one beyond `UNBOUNDED`, is not scaled. Then clipped to the bounds that there are, and rounded if
      the box holds integers.
    """
    check(space, "action")
    return map_leaves(space, _leaf_to_native)


def unscaled(space: spaces.Space) -> spaces.Space:
    """Return the space of a policy's own actions: floats without bounds for a Box, whole numbers from 0 else."""
    match space:
        case spaces.Dict():
            return spaces.Dict({name: unscaled(part) for name, part in space.spaces.items()})
        case spaces.Tuple():
            return spaces.Tuple([unscaled(part) for part in space.spaces])
        case spaces.Box():
            return spaces.Box(-np.inf, np.inf, space.shape)
        case spaces.Discrete():
            return spaces.Discrete(space.n)
        case spaces.MultiDiscrete():
            return spaces.MultiDiscrete(space.nvec)
    return space


def from_native(space: spaces.Space) -> Callable[[Any], Any]:
    """Build the inverse of `to_native`, from recorded native actions to a policy's own, for NumPy arrays, leaf by leaf.

    - Discrete, MultiDiscrete: a − start; MultiBinary: a; int32.
    - Box: 2(a − low)/(high − low) − 1 in each dimension, a dimension without both bounds unscaled; float32. 0 where
      both bounds are equal.
    """
    check(space, "action")
    return map_leaves(space, _leaf_from_native)


def to_gymnasium(space: spaces.Space, name: str, first: int = 0) -> Callable[[Any], Any]:
    """Build the map from a batch of a policy's actions to native ones in the dtypes of a Gymnasium space.

    The map raises LogpiError, naming the environment, for an action that is not finite.

    - `name`: of the environment, for the message.
    - `first`: number of the batch's first environment.
    """
    check(space, "action")

    def for_leaf(leaf: LeafSpace) -> Callable[[Any], Any]:
        native, dtype, may_fail = _leaf_to_native(leaf), leaf.dtype, isinstance(leaf, spaces.Box)

        def send(x: np.ndarray) -> np.ndarray:
            # One product depends on every entry and is the fastest check; since it may also overflow for large finite
            # numbers, the exact check follows.
            if may_fail and not math.isfinite(np.vdot(x, x)) and not np.isfinite(x).all():
                row = np.argwhere(~np.isfinite(x))[0][0]
                raise LogpiError(f"the policy gave environment {first + row} of {name} a non-finite action: {x[row]}")
            sent = native(x)
            if sent.dtype != dtype:
                return sent.astype(dtype)
            # An environment may write into its action; the one that is learned from must not be the same array.
            return sent.copy() if sent is x else sent

        return send

    return map_leaves(space, for_leaf)


def _leaf_to_native(space: LeafSpace) -> Callable[[Any], Any]:
    match space:
        case spaces.Box():
            return _box_to_native(space)
        case spaces.Discrete() | spaces.MultiDiscrete() if np.any(space.start):
            start = np.asarray(space.start, np.int32)
            return lambda action: action + _align(start, action)
    return lambda action: action


def _leaf_from_native(space: LeafSpace) -> Callable[[Any], Any]:
    if isinstance(space, spaces.Box):
        half, middle = (x.astype(np.float64) for x in _scale_and_offset(space))
        return lambda action: ((action - middle) / np.where(half > 0, half, 1)).astype(np.float32)
    start = np.asarray(getattr(space, "start", 0), np.int64)
    return lambda action: (action - start).astype(np.int32)


def bounded_dimensions(space: spaces.Box) -> np.ndarray:
    """Tell which dimensions of a box have both bounds, bool, of the box's shape.

    A bound of UNBOUNDED or more says that a number has some largest value, such as the largest float32, not that
    actions reach it: it counts as none.
    """
    low, high = (np.abs(bound.astype(np.float64)) < UNBOUNDED for bound in (space.low, space.high))
    return np.asarray(low & high)


def _scale_and_offset(space: spaces.Box) -> tuple[np.ndarray, np.ndarray]:
    """Compute (high − low)/2 and (high + low)/2; 1 and 0 in a dimension without both bounds."""
    low, high = (bound.astype(np.float64) for bound in (space.low, space.high))
    with np.errstate(invalid="ignore", over="ignore"):
        both = bounded_dimensions(space)
        half, middle = np.where(both, (high - low) / 2, 1), np.where(both, (high + low) / 2, 0)
    return half.astype(np.float32), middle.astype(np.float32)


def _box_to_native(space: spaces.Box) -> Callable[[Any], Any]:
    """Build the map into a box: scale, clip, and round if it holds integers."""
    half, middle = _scale_and_offset(space)
    lowest, highest = _inner_bound(space.low.astype(np.float64), 1), _inner_bound(space.high.astype(np.float64), -1)
    is_integer = np.issubdtype(space.dtype, np.integer)
    is_identity = bool((half == 1).all() and (middle == 0).all())

    @functools.lru_cache(maxsize=8)
    def broadcast_constants(shape: tuple[int, ...]) -> list[np.ndarray]:
        return [np.ascontiguousarray(np.broadcast_to(x, shape)) for x in (half, middle, lowest, highest)]

    def scale(action: "np.ndarray | jax.Array") -> "np.ndarray | jax.Array":
        if isinstance(action, np.ndarray):
            # Called in every step: constants broadcast beforehand halve the time, and `clip` would double it.
            factor, offset, floor, ceiling = broadcast_constants(action.shape)
            native = action if is_identity else action * factor + offset
            native = np.minimum(np.maximum(native, floor), ceiling)
        else:
            native = action if is_identity else action * _align(half, action) + _align(middle, action)
            native = native.clip(_align(lowest, action), _align(highest, action))
        return native.round() if is_integer else native

    return scale


def _inner_bound(bound: np.ndarray, inward: int) -> np.ndarray:
    """Round a bound to float32, never outwards.

    - `inward`: the direction into the box, 1 for lower bounds and −1 for upper ones.
    """
    with np.errstate(over="ignore"):  # a bound beyond float32 becomes the largest float32 below
        near = bound.astype(np.float32)
    outside = (near < bound) if inward > 0 else (near > bound)
    return np.where(outside, np.nextafter(near, np.float32(inward * np.inf)), near)


def _align(x: np.ndarray, action: "np.ndarray | jax.Array") -> np.ndarray | np.number:
    """Add leading axes to `x`, which has the actions' last ones, as far as the actions have them."""
    return x[(None,) * (action.ndim - x.ndim)]
