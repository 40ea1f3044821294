"""N Gymnasium environments, stepped one after the other."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from logpi.environments.actions import to_native
from logpi.environments.protocol import Spec, Step
from logpi.errors import LogpiError


class Gymnasium:
    """N copies of a Gymnasium environment, each reset in the step in which its episode ends.

    Every episode is seeded from (seed, group, episode), each environment a group of its own unless told otherwise, so
    what environment i meets does not depend on how many others there are. Observations are kept in the space's
    dtype, float64 as float32.
    """

    def __init__(self, make: Callable[[], gymnasium.Env], num_envs: int, name: str = "", time_limit: int | None = None):
        """Make the copies; `time_limit` shortens episodes if the task's own limit is longer or missing."""
        self._envs = [_limited(make(), time_limit) for _ in range(num_envs)]
        first = self._envs[0]
        self.spec = Spec(name, num_envs, first.observation_space, first.action_space, time_limit_of(first))
        self._native = to_native(first.action_space)
        self._discrete = isinstance(first.action_space, gymnasium.spaces.Discrete)
        self._dtype = buffer_dtype(first.observation_space)
        self._episodes = np.zeros(num_envs, np.int64)
        self._seed, self._group = 0, 1

    def reset(self, seed: int, group: int = 1) -> np.ndarray:
        """Begin the first episode of each environment under this seed; groups of neighbours are seeded alike."""
        self._seed, self._group = seed, group
        self._episodes[:] = 0
        return np.stack([self._begin(i) for i in range(self.spec.num_envs)]).astype(self._dtype)

    def step(self, action: np.ndarray, idle: np.ndarray) -> Step:
        """Step every environment that is not idle; an idle one is left alone."""
        native = self._checked(action)
        n = self.spec.num_envs
        next_obs = np.zeros((n, *(self.spec.observation_space.shape or ())), self._dtype)
        reward = np.zeros(n, np.float32)
        terminated, truncated = np.zeros(n, bool), np.zeros(n, bool)
        resting = idle.tolist()
        for i, env in enumerate(self._envs):
            if not resting[i]:
                next_obs[i], reward[i], terminated[i], truncated[i], _ = env.step(native[i])
        truncated &= ~terminated
        obs = next_obs
        ends = np.flatnonzero(terminated | truncated).tolist()
        if ends:
            obs = next_obs.copy()
            for i in ends:
                obs[i] = self._begin(i)
        return Step(obs, next_obs, reward, terminated, truncated, ~idle)

    def close(self) -> None:
        """Close every copy."""
        for env in self._envs:
            env.close()

    def _begin(self, i: int) -> Any:
        words = np.random.SeedSequence((self._seed, i // self._group, int(self._episodes[i]))).generate_state(1)
        self._episodes[i] += 1
        return self._envs[i].reset(seed=int(words[0]) >> 1)[0]

    def _checked(self, action: np.ndarray) -> Any:
        if self._discrete:
            return self._native(action).tolist()
        if not np.isfinite(action).all():
            row = np.argwhere(~np.isfinite(action))[0][0]
            raise LogpiError(
                f"the policy gave environment {row} of {self.spec.name} a non-finite action: {action[row]}"
            )
        return self._native(action).astype(self.spec.action_space.dtype)


def _limited(env: gymnasium.Env, time_limit: int | None) -> gymnasium.Env:
    own = time_limit_of(env)
    if time_limit is None or (own is not None and own <= time_limit):
        return env
    return gymnasium.wrappers.TimeLimit(env, time_limit)


def time_limit_of(env: gymnasium.Env) -> int | None:
    """The step after which the environment's `TimeLimit` wrappers truncate an episode; None if they never do."""
    limits = []
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, gymnasium.wrappers.TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    return min(limits, default=None)


def buffer_dtype(space: gymnasium.Space) -> np.dtype:
    """The dtype observations are kept in: the space's own, 64 bits as 32."""
    dtype = np.dtype(space.dtype or np.float32)
    return {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.int64): np.dtype(np.int32)}.get(dtype, dtype)
