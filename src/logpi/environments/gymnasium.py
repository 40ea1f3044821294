"""N Gymnasium environments, stepped one after the other."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from logpi import nested
from logpi.environments.actions import sent
from logpi.environments.protocol import Spec, Step
from logpi.environments.structure import check, empty, lifted, writer


class Gymnasium:
    """N copies of a Gymnasium environment, each reset in the step in which its episode ends.

    Every episode is seeded from (seed, group, episode), each environment a group of its own unless told otherwise, so
    what environment i meets does not depend on how many others there are. Observations are kept in the space's
    dtype, 64 bits as 32; those of a Dict space are dicts, of a Tuple space tuples, with leaves [N, ...].
    """

    def __init__(self, make: Callable[[], gymnasium.Env], num_envs: int, name: str = "", time_limit: int | None = None):
        """Make the copies; `time_limit` shortens episodes if the task's own limit is longer or missing."""
        self._envs = [_limited(make(), time_limit) for _ in range(num_envs)]
        first = self._envs[0]
        self.spec = Spec(name, num_envs, first.observation_space, first.action_space, time_limit_of(first))
        check(first.observation_space, "observation")
        self._native = sent(first.action_space, name)
        self._empty = empty(first.observation_space, num_envs)
        self._write = writer(first.observation_space)
        self._rows = _rows(first.action_space)
        self._episodes = np.zeros(num_envs, np.int64)
        self._seed, self._group = 0, 1

    @property
    def episode(self) -> np.ndarray:
        """Which episode under its seed each environment is in, from 0."""
        return self._episodes - 1

    def reset(self, seed: int, group: int = 1) -> Any:
        """Begin the first episode of each environment under this seed; groups of neighbours are seeded alike."""
        self._group = group
        return self.restart(seed, np.zeros_like(self._episodes))

    def restart(self, seed: int, episode: np.ndarray) -> Any:
        """Begin the given episode of each environment under this seed, as if those before it had been played."""
        self._seed = seed
        self._episodes[:] = episode
        obs = self._empty()
        for i in range(self.spec.num_envs):
            self._write(obs, i, self._begin(i))
        return obs

    def step(self, action: Any, idle: np.ndarray) -> Step:
        """Step every environment that is not idle; an idle one is left alone."""
        native = self._rows(self._native(action))
        n, write = self.spec.num_envs, self._write
        next_obs = self._empty()
        reward = np.zeros(n, np.float32)
        terminated, truncated = np.zeros(n, bool), np.zeros(n, bool)
        resting = idle.tolist()
        for i, env in enumerate(self._envs):
            if not resting[i]:
                observed, reward[i], terminated[i], truncated[i], _ = env.step(native[i])
                write(next_obs, i, observed)
        truncated &= ~terminated
        obs = next_obs
        ends = np.flatnonzero(terminated | truncated).tolist()
        if ends:
            obs = nested.map(np.copy, next_obs)
            for i in ends:
                write(obs, i, self._begin(i))
        return Step(obs, next_obs, reward, terminated, truncated, ~idle)

    def close(self) -> None:
        """Close every copy."""
        for env in self._envs:
            env.close()

    def _begin(self, i: int) -> Any:
        words = np.random.SeedSequence((self._seed, i // self._group, int(self._episodes[i]))).generate_state(1)
        self._episodes[i] += 1
        return self._envs[i].reset(seed=int(words[0]) >> 1)[0]


def _rows(space: gymnasium.Space) -> Callable[[Any], Any]:
    """What splits a batch of actions into those of each environment; a whole number becomes Python's own."""
    match space:
        case gymnasium.spaces.Discrete():
            return lambda native: native.tolist()
        case gymnasium.spaces.Dict() | gymnasium.spaces.Tuple():
            return _rows_of_trees(space)
    return lambda native: native


def _rows_of_trees(space: gymnasium.Space) -> Callable[[Any], Any]:
    whole = lambda leaf: isinstance(leaf, gymnasium.spaces.Discrete)
    one = lifted(space, lambda leaf: (lambda x: x.item()) if whole(leaf) else lambda x: x)

    def rows(native: Any) -> list[Any]:
        n = len(nested.leaves(native)[0])
        return [one(nested.map(lambda x, i=i: x[i, ...], native)) for i in range(n)]

    return rows


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
