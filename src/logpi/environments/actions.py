"""From a policy's own actions to the environment's: whole numbers from `start`, vectors within their bounds."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from logpi.errors import LogpiError


def to_native(space: spaces.Space) -> Callable[[Any], Any]:
    """The map from a policy's actions to those of `space`; it works on NumPy and on JAX arrays alike.

    Discrete: a + start. Box: along each dimension low + (clip(a, −1, 1) + 1)(high − low)/2; a Box without any bound
    passes actions as they are. Raises ValueError for one that is bounded in part.
    """
    match space:
        case spaces.Discrete() if space.start == 0:
            return lambda action: action
        case spaces.Discrete():
            return lambda action: action + np.int32(space.start)
        case spaces.Box():
            return _box(space)
    raise LogpiError(f"action space {space} is not supported; supported: Discrete, Box")


def _box(space: spaces.Box) -> Callable[[Any], Any]:
    bounded = space.is_bounded("both")
    if not bounded and (space.bounded_above | space.bounded_below).any():
        raise LogpiError(f"action space {space} is bounded on some sides only; bound all of it or none")
    if not bounded:
        return lambda action: action
    half = ((space.high.astype(np.float64) - space.low) / 2).astype(np.float32)
    middle = ((space.high.astype(np.float64) + space.low) / 2).astype(np.float32)

    def scale(action: Any) -> Any:
        rows = action.shape[: action.ndim - half.ndim]
        return action.clip(-1, 1) * np.broadcast_to(half, (*rows, *half.shape)) + np.broadcast_to(
            middle, (*rows, *half.shape)
        )

    return scale
