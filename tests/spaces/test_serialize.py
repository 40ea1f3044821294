"""Spaces as JSON: what is written is read again; what was never written is refused."""

import json

import numpy as np
import pytest
from gymnasium import spaces

import logpi
from logpi.spaces.serialize import from_json, to_json

SPACES = [
    spaces.Box(-1, 1, (3,)),
    spaces.Box(-np.inf, np.inf, (2, 2), np.float64),
    spaces.Box(np.array([-1.0, -np.inf], np.float32), np.array([2.0, 3.0], np.float32)),
    spaces.Box(0, 255, (4, 4, 3), np.uint8),
    spaces.Discrete(4, start=-1),
    spaces.MultiDiscrete([2, 3, 4], start=[0, 1, 2]),
    spaces.MultiBinary((2, 3)),
    spaces.Dict(a=spaces.Discrete(2), b=spaces.Tuple((spaces.Box(0, 1, ()), spaces.Discrete(3)))),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_space_is_read_as_it_was_written(space):
    assert from_json(json.loads(json.dumps(to_json(space)))) == space


def test_a_space_that_cannot_be_written_is_named():
    with pytest.raises(logpi.LogpiError, match="Text"):
        to_json(spaces.Text(5))


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        {"space": "Graph"},
        {"space": "Box", "shape": [10**6, 10**6], "dtype": "float32", "low": 0, "high": 1},
        {"space": "Box", "shape": [-1], "dtype": "float32", "low": 0, "high": 1},
        {"space": "Box", "shape": [2], "dtype": "object", "low": 0, "high": 1},
        {"space": "Box", "shape": [2], "dtype": "float32", "low": "x", "high": 1},
        {"space": "Discrete", "n": 10**30, "start": 0},
        {"space": "MultiBinary", "shape": [10**12]},
        {"space": "MultiDiscrete", "n": [[0]], "start": [0]},
        {"space": "Tuple", "spaces": [{"space": "Dict"}]},
    ],
    ids=str,
)
def test_what_was_never_written_is_refused(said):
    with pytest.raises(logpi.LogpiError, match="no space that logpi knows"):
        from_json(said)
