"""Environments that something happens to, for workers to make: nothing here imports JAX."""

import os
import signal
import time

import gymnasium
import numpy as np
from gymnasium import spaces


class Walk(gymnasium.Env):
    """Goes where it is told, pushed by chance; every 7th step ends an episode; something happens at its 5th."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,))
    action_space = spaces.Box(-1, 1, (2,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time, self.fated = self.np_random.normal(size=3), 0, seed % 3 == 0
        return self.place.astype(np.float32), {}

    def step(self, action):
        self.time += 1
        if self.fated and self.time == 5:
            self.befalls()
        self.place[:2] += action + self.np_random.normal(size=2)
        return self.place.astype(np.float32), float(self.place[0]), self.time == 7, False, {}

    def befalls(self):
        """Nothing."""


class Raising(Walk):
    def befalls(self):
        raise OSError("the simulator is gone")


class Dying(Walk):
    def befalls(self):
        os._exit(7)


class SometimesDying(Dying):
    def reset(self, *, seed=None, options=None):
        answer = super().reset(seed=seed)
        self.fated = seed % 13 == 0
        return answer


class Killed(Walk):
    def befalls(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Hanging(Walk):
    def befalls(self):
        time.sleep(3600)
