"""Spaces as JSON can say them, so that a run's networks can be built again without its environment."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from logpi.errors import LogpiError

LARGEST = 2**26  # entries of one observation: beyond any real one, and no more than memory can hold


def to_json(space: spaces.Space) -> dict[str, Any]:
    """The space in plain words and numbers."""
    match space:
        case spaces.Box():
            bounds = {"low": _bound(space.low), "high": _bound(space.high)}
            return {"space": "Box", "shape": list(space.shape), "dtype": str(space.dtype)} | bounds
        case spaces.Discrete():
            return {"space": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            return {"space": "MultiDiscrete", "n": space.nvec.tolist(), "start": space.start.tolist()}
        case spaces.MultiBinary():
            return {"space": "MultiBinary", "shape": list(space.shape)}
        case spaces.Dict():
            return {"space": "Dict", "spaces": {name: to_json(inner) for name, inner in space.spaces.items()}}
        case spaces.Tuple():
            return {"space": "Tuple", "spaces": [to_json(inner) for inner in space.spaces]}
    raise LogpiError(f"space {space} cannot be written down")


def from_json(said: Any) -> spaces.Space:
    """The space that `to_json` wrote. Raises LogpiError for what it never wrote."""
    try:
        return _read(said)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, OverflowError, RecursionError) as error:
        raise LogpiError(f"run.json names no space that logpi knows: {error}") from None


def _read(said: Any) -> spaces.Space:
    match said["space"]:
        case "Box":
            shape = _shape(said["shape"])
            low, high = (np.asarray(_numbers(said[name]), said["dtype"]) for name in ("low", "high"))
            return spaces.Box(np.broadcast_to(low, shape), np.broadcast_to(high, shape), shape, said["dtype"])
        case "Discrete":
            return spaces.Discrete(_shape([said["n"]])[0], start=int(said["start"]))
        case "MultiDiscrete":
            return spaces.MultiDiscrete(np.asarray(said["n"], np.int64), start=np.asarray(said["start"], np.int64))
        case "MultiBinary":
            return spaces.MultiBinary(_shape(said["shape"]))
        case "Dict":
            return spaces.Dict({str(name): _read(inner) for name, inner in said["spaces"].items()})
        case "Tuple":
            return spaces.Tuple([_read(inner) for inner in said["spaces"]])
    raise ValueError(said["space"])


def _bound(bound: np.ndarray) -> Any:
    """One number where all are equal; infinities as words, which JSON has none for."""
    plain = bound.flat[0].item() if bound.size and (bound == bound.flat[0]).all() else bound.tolist()
    return _words(plain)


def _words(x: Any) -> Any:
    if isinstance(x, list):
        return [_words(inner) for inner in x]
    return str(x) if isinstance(x, float) and math.isinf(x) else x


def _numbers(x: Any) -> Any:
    if isinstance(x, list):
        return [_numbers(inner) for inner in x]
    return {"inf": math.inf, "-inf": -math.inf}.get(x, x) if isinstance(x, str) else x


def _shape(sizes: list[int]) -> tuple[int, ...]:
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape) or math.prod(shape) > LARGEST:
        raise ValueError(f"shape {shape} has more than {LARGEST} entries")
    return shape
