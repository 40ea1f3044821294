"""What is no MDP is refused, by the name of the entry at fault."""

import numpy as np
import pytest

from logpi.errors import LogpiError
from logpi.oracle.mdp import MDP

GOOD = {
    "transition": np.full((3, 2, 3), 1 / 3),
    "reward": np.zeros((3, 2, 3)),
    "initial": np.array([0.5, 0.5, 0.0]),
    "gamma": 0.9,
}


def changed(name, index, value):
    """One entry of one table, replaced."""
    array = GOOD[name].copy()
    array[index] = value
    return {name: array}


ENDLESS = np.tile(np.eye(3)[:, None], (1, 2, 1))

BAD = {
    r"transition\[1, 0\] sums to 1.16667; allowed: 1": changed("transition", (1, 0, 2), 0.5),
    r"transition\[2, 1, 0\] is -0.5; allowed: probabilities": changed("transition", (2, 1, 0), -0.5),
    r"transition\[0, 0, 1\] is nan": changed("transition", (0, 0, 1), np.nan),
    r"reward\[0, 1, 2\] is nan; allowed: finite": changed("reward", (0, 1, 2), np.nan),
    r"reward\[1, 1, 1\] is inf": changed("reward", (1, 1, 1), np.inf),
    r"reward\[0, 0, 2\] is 1e\+39; allowed: finite numbers, as float32": changed("reward", (0, 0, 2), 1e39),
    r"transition is no table of numbers": {"transition": [[[1.0], [0.5, 0.5]]]},
    r"reward is no table of numbers": {"reward": "much"},
    r"gamma is no table of numbers": {"gamma": "often"},
    r"initial sums to 0.6; allowed: 1": changed("initial", 0, 0.1),
    r"initial\[2\] is -0.1": changed("initial", 2, -0.1),
    r"transition has shape \(3, 2\); allowed: \[S, A, S\]": {"transition": np.ones((3, 2))},
    r"transition has shape \(3, 2, 4\)": {"transition": np.full((3, 2, 4), 0.25)},
    r"transition has shape \(0, 2, 0\)": {"transition": np.zeros((0, 2, 0))},
    r"reward has shape \(3, 2\); allowed: \(3, 2, 3\)": {"reward": np.zeros((3, 2))},
    r"initial has shape \(2,\); allowed: \(3,\)": {"initial": np.array([1.0, 0.0])},
    r"terminal has shape \(2,\)": {"terminal": [True, False]},
    r"gamma is 1.1; allowed: 0 … 1": {"gamma": 1.1},
    r"gamma is -0.1": {"gamma": -0.1},
    r"gamma is nan": {"gamma": np.nan},
    r"gamma is 1 with an infinite horizon": {"gamma": 1.0},
    r"state 0 can reach no terminal state": {"gamma": 1.0, "transition": ENDLESS, "terminal": [False, False, True]},
    r"horizon is 0; allowed: a whole number ≥ 1": {"horizon": 0},
    r"initial\[1\] is positive, but that state is terminal": {"terminal": [False, True, False]},
}


@pytest.mark.parametrize("message", BAD)
def test_refused(message):
    with pytest.raises(LogpiError, match=message):
        MDP(**{**GOOD, **BAD[message]})


def test_accepted():
    """No discount where the horizon cuts, or where an end can always be reached; the edges of γ; nested lists."""
    MDP(**{**GOOD, "gamma": 1.0, "horizon": 3})
    MDP(**{**GOOD, "gamma": 1.0, "terminal": [False, False, True]})
    MDP(**{**GOOD, "gamma": 0})
    MDP(**{name: x.tolist() if isinstance(x, np.ndarray) else x for name, x in GOOD.items()})
