"""Backends of a user's own: N walks on the number line. Imports no JAX: workers unpickle them."""

import functools

import numpy as np
from gymnasium import spaces

from logpi.environments.protocol import Spec, Step


class NumberLines:
    """N walks from a random start, ±1 at a time and a reward of −|x|, until |x| ≥ 5 or 12 steps are taken.

    It has the members of `SteppableCopies` and no base class.
    """

    def __init__(self, num_envs, first=0, shareable=True):
        self.spec = Spec("lines", num_envs, spaces.Box(-9, 9, (1,)), spaces.Discrete(2), 12)
        self.restarts = self.restarted = 0
        self._first, self._shareable, self._seed = first, shareable, 0
        self._x, self._steps = np.zeros(num_envs, np.float32), np.zeros(num_envs, int)
        self.episode = np.zeros(num_envs, np.int64)

    def example(self):
        return np.zeros((self.spec.num_envs, 1), np.float32)

    def shard(self, first, count):
        return functools.partial(NumberLines, count, self._first + first) if self._shareable else None

    def reset(self, seed, group=1):
        return self.restart(seed, np.zeros(self.spec.num_envs, np.int64))

    def restart(self, seed, episode):
        self._seed, obs = seed, self.example()
        self.episode[:] = episode - 1
        self.begin(range(self.spec.num_envs), obs)
        return obs

    def begin(self, copies, obs):
        for i in copies:
            self.episode[i] += 1
            start = np.random.default_rng((self._seed, self._first + i, int(self.episode[i])))
            self._x[i], self._steps[i] = start.integers(-3, 4), 0
            obs[i] = self._x[i]

    def advance(self, action, next_obs, reward, copies):
        ended = []
        for i in copies:
            self._x[i] += 2 * action[i] - 1
            self._steps[i] += 1
            next_obs[i], reward[i] = self._x[i], -abs(self._x[i])
            if abs(self._x[i]) >= 5 or self._steps[i] == 12:
                ended.append((i, bool(abs(self._x[i]) >= 5), True))
        return ended

    def step(self, action, idle):
        n = self.spec.num_envs
        next_obs, reward, ends = self.example(), np.zeros(n, np.float32), np.zeros((2, n), bool)
        ended = self.advance(action, next_obs, reward, np.flatnonzero(~idle).tolist())
        obs = next_obs.copy()
        self.begin([i for i, *_ in ended], obs)
        for i, terminated, _ in ended:
            ends[:, i] = terminated, not terminated
        return Step(obs, next_obs, reward, *ends, ~idle)

    def close(self):
        pass


class WholeLines:
    """The same walks, all stepped at once: `Restartable`, and no more."""

    def __init__(self, num_envs):
        self._lines = NumberLines(num_envs)
        self.spec, self.reset, self.restart = self._lines.spec, self._lines.reset, self._lines.restart
        self.step, self.close, self.episode = self._lines.step, self._lines.close, self._lines.episode
