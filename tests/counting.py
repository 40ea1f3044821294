"""Environments that count, for what must be the same everywhere. No JAX here: the processes of tests import it."""

import gymnasium
import numpy as np
from gymnasium import spaces

FLAT = spaces.Box(-np.inf, np.inf, (1,), np.float32)
DICT = spaces.Dict(
    inner=spaces.Dict(number=spaces.Box(-np.inf, np.inf, (1,), np.float64)),
    picture=spaces.Box(0, 255, (2, 2, 1), np.uint8),
    place=spaces.Discrete(4, start=-1),
)
TUPLE = spaces.Tuple((FLAT, spaces.MultiBinary(3), spaces.MultiDiscrete([4, 10], start=[1, -5])))


def shown(space, n):
    """The element of one of these spaces that stands for the number n."""
    match space:
        case spaces.Dict():
            return {name: shown(part, n) for name, part in space.items()}
        case spaces.Tuple():
            return tuple(shown(part, n) for part in space)
        case spaces.Discrete():
            return np.int64(space.start + n % space.n)
        case spaces.MultiDiscrete():
            return space.start + n % space.nvec
        case spaces.MultiBinary():
            return (n >> np.arange(space.n) & 1).astype(np.int8)
    return np.full(space.shape, n % 256 if space.dtype == np.uint8 else n, space.dtype)


class Counting(gymnasium.Env):
    """obs = 100 · episode + t; episode e has 3 + e mod 3 steps and ends in turn terminated, truncated, both.

    The reward is ten times the step's number, plus the action. The first episode after it is made is `first`.
    """

    observation_space, action_space = FLAT, spaces.Discrete(2)

    def __init__(self, first=0, space=FLAT):
        self._episode, self.observation_space = first - 1, space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._episode, self._t = self._episode + 1, 0
        return self._obs(), {}

    def step(self, action):
        self._t += 1
        over, kind = self._t == 3 + self._episode % 3, self._episode % 3
        return self._obs(), 10.0 * self._t + int(action), over and kind != 1, over and kind != 0, {}

    def _obs(self):
        return shown(self.observation_space, 100 * self._episode + self._t)


class Recording(gymnasium.Env):
    """Actions are kept, and must lie in their space; the observation is always `shown` of 7. Never ends by itself."""

    def __init__(self, actions, space=FLAT):
        self.action_space, self.observation_space = actions, space
        self.seen = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return shown(self.observation_space, 7), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.seen.append(action)
        return shown(self.observation_space, 7), 1.0, False, False, {}


class Line(gymnasium.Env):
    """A walk on the line by quarters, from 0 until |x| ≥ 1; the reward is the position reached. As `builders.Walk`."""

    observation_space, action_space = spaces.Box(-2.0, 2.0, (2,)), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._x = np.float32(0)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        move = np.float32((2 * action - 1) / 4)
        self._x = self._x + move
        return np.array([self._x, move], np.float32), float(self._x), bool(abs(self._x) >= 1), False, {}


def limited_line():
    """The walk with a time limit of 6."""
    return gymnasium.wrappers.TimeLimit(Line(), 6)
