"""Spaces as JSON, so that a run's networks can be rebuilt without its environment."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from logpi.errors import LogpiError

LARGEST = 2**26  # entries of one observation: above any real one, so that a file cannot exhaust the memory


def to_json(space: spaces.Space) -> dict[str, Any]:
    """Convert a space to JSON values. Raises LogpiError for an unsupported one."""
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
    raise LogpiError(
        f"space {space} cannot be written as JSON; allowed: Box, Discrete, MultiBinary, MultiDiscrete, Dict, Tuple"
    )


def from_json(data: object) -> spaces.Space:
    """Convert JSON values back to the space. Raises LogpiError for values that `to_json` does not write."""
    try:
        return _read(data if isinstance(data, dict) else {})
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, OverflowError, RecursionError) as error:
        raise LogpiError(f"run.json holds no space that logpi knows: {error}") from None


def _read(data: Mapping[str, Any]) -> spaces.Space:
    match data["space"]:
        case "Box":
            shape = _shape(data["shape"])
            low, high = (np.asarray(_infinities_from_text(data[name]), data["dtype"]) for name in ("low", "high"))
            return spaces.Box(np.broadcast_to(low, shape), np.broadcast_to(high, shape), shape, data["dtype"])
        case "Discrete":
            return spaces.Discrete(_shape([data["n"]])[0], start=int(data["start"]))
        case "MultiDiscrete":
            return spaces.MultiDiscrete(np.asarray(data["n"], np.int64), start=np.asarray(data["start"], np.int64))
        case "MultiBinary":
            return spaces.MultiBinary(_shape(data["shape"]))
        case "Dict":
            return spaces.Dict({str(name): _read(inner) for name, inner in data["spaces"].items()})
        case "Tuple":
            return spaces.Tuple([_read(inner) for inner in data["spaces"]])
    raise ValueError(data["space"])


def _bound(bound: np.ndarray) -> object:
    """Write one number where all are equal; infinities as text, since JSON has none."""
    values = bound.flat[0].item() if bound.size and (bound == bound.flat[0]).all() else bound.tolist()
    return _infinities_to_text(values)


def _infinities_to_text(x: object) -> object:
    if isinstance(x, list):
        return [_infinities_to_text(inner) for inner in x]
    return str(x) if isinstance(x, float) and math.isinf(x) else x


def _infinities_from_text(x: object) -> object:
    if isinstance(x, list):
        return [_infinities_from_text(inner) for inner in x]
    return {"inf": math.inf, "-inf": -math.inf}.get(x, x) if isinstance(x, str) else x


def _shape(sizes: list[int]) -> tuple[int, ...]:
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape) or math.prod(shape) > LARGEST:
        raise ValueError(f"shape {shape} has more than {LARGEST} entries")
    return shape
