"""Corridors, as Gymnasium environments, and the backend that gives them names `corridor:…`."""

import functools

import gymnasium
import numpy as np
from gymnasium import spaces

from logpi.environments import EnvironmentBackend

LENGTHS = {"Short-v0": 3, "Long-v0": 8}


class Corridor(gymnasium.Env):
    """A walk from 0 to the end of a corridor; actions go back (0) or forth (1), and each step costs 1."""

    action_space = spaces.Discrete(2)

    def __init__(self, length: int):
        """Make a corridor of that many steps."""
        self.length = length
        self.observation_space = spaces.Box(0.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        """Begin at 0."""
        super().reset(seed=seed)
        self.position = 0
        return self._observation(), {}

    def step(self, action):
        """Go one step; terminate at the end."""
        self.position = max(0, self.position + (1 if action == 1 else -1))
        return self._observation(), -1.0, self.position == self.length, False, {}

    def _observation(self):
        return np.array([self.position / self.length], np.float32)


class CorridorBackend(EnvironmentBackend):
    """The environments `corridor:Short-v0` and `corridor:Long-v0`; episodes end after 20 steps at the latest."""

    def names(self):
        """List the corridors."""
        return list(LENGTHS)

    def make(self, task, num_envs, time_limit, **arguments):
        """Return a factory that worker processes can call, too."""
        return functools.partial(make_corridor, LENGTHS[task], min(20, time_limit or 20), **arguments)


def make_corridor(length: int, limit: int) -> gymnasium.Env:
    """Make a corridor with a time limit."""
    return gymnasium.wrappers.TimeLimit(Corridor(length), limit)
