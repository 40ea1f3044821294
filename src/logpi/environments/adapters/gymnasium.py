"""N Gymnasium environments, stepped one after the other."""

import contextlib
import functools
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import gymnasium
import numpy as np

from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.environments.adapters.time_limit import NEVER, time_limit_of, unwrap_passive
from logpi.environments.protocol import EpisodeEnd, Spec, Step
from logpi.errors import EnvironmentFailed
from logpi.spaces.actions import to_gymnasium
from logpi.spaces.tree import check, empty, map_leaves, row_writer


class Gymnasium:
    """N copies of a Gymnasium environment, each reset in the step in which its episode ends.

    Every episode is seeded from (seed, group, episode), each environment a group of its own unless told otherwise, so
    what environment i meets does not depend on how many others there are. Observations are kept in the space's
    dtype, 64 bits as 32; those of a Dict space are dicts, of a Tuple space tuples, with leaves [N, ...].

    Time limits are kept here, where their wrapper is one of the outermost, and not by the wrapper.

    A copy that raises is made anew up to `restarts` times (0 unless it is set): that step is then not `valid` but
    `truncated`, and `restarted` counts it.
    """

    def __init__(
        self,
        make: Callable[[], gymnasium.Env] | None,
        num_envs: int,
        name: str = "",
        time_limit: int | None = None,
        first: int = 0,
        ready: gymnasium.Env | None = None,
    ):
        """Make one copy, the others when they are first reset; without `make` there is the one that is `ready`.

        - `time_limit`: shortens episodes if the task's own limit is longer or missing.
        - `first`: the number of the first copy, where these are some of more.
        - `ready`: the first copy, if there is one.
        """
        self.make, self._first, self._limit = make, first, NEVER if time_limit is None else time_limit
        one = self._make_one() if ready is None else ready
        limit = min(self._limit, time_limit_of(one) or NEVER)
        self.spec = Spec(name, num_envs, one.observation_space, one.action_space, None if limit == NEVER else limit)
        self._envs: list[Any] = [None] * num_envs
        self._limits = [NEVER] * num_envs
        self._put(0, one)
        self.restarts = self.restarted = 0
        check(one.observation_space, "observation")
        self._native = to_gymnasium(one.action_space, name, first)
        self._empty = empty(one.observation_space, num_envs)
        self._write = row_writer(one.observation_space)
        self._rows = _rows(one.action_space)
        self._episodes = np.zeros(num_envs, np.int64)
        self._clock, self._due = 0, NEVER
        self._began, self._seeds = [0] * num_envs, [0] * num_envs
        self._seed, self._group = 0, 1

    def example(self) -> Any:
        """Observations as they come, all zero."""
        return self._empty()

    @property
    def episode(self) -> np.ndarray:
        """Which episode under its seed each environment is in, from 0."""
        return self._episodes - 1

    def reset(self, seed: int, group: int = 1) -> Any:
        """Begin the first episode of each environment under this seed; groups of neighbors are seeded alike."""
        self._group = group
        return self.restart(seed, np.zeros_like(self._episodes))

    def restart(self, seed: int, episode: np.ndarray) -> Any:
        """Begin the given episode of each environment under this seed, as if those before it had been played."""
        self._seed = seed
        self._episodes[:] = episode
        for i in range(self.spec.num_envs):
            if self._envs[i] is None:
                self._put(i, self._make_one())
        obs = self._empty()
        self.begin(range(self.spec.num_envs), obs)
        return obs

    def step(self, action: Any, idle: np.ndarray) -> Step:
        """Step every environment that is not idle; an idle one is left alone."""
        n = self.spec.num_envs
        for i in np.flatnonzero(idle):
            self._began[i] += 1  # its time stands still
        next_obs, reward = self._empty(), np.zeros(n, np.float32)
        terminated, truncated, valid = np.zeros(n, bool), np.zeros(n, bool), ~idle
        ended = self.advance(action, next_obs, reward, np.flatnonzero(valid).tolist())
        obs = next_obs
        if ended:
            obs = tree_map(np.copy, next_obs)
            self.begin([i for i, *_ in ended], obs)
        for i, died, sound in ended:
            terminated[i], truncated[i], valid[i] = died, not died, sound
        return Step(obs, next_obs, reward, terminated, truncated, valid)

    def advance(self, action: Any, next_obs: Any, reward: np.ndarray, copies: Iterable[int]) -> list[EpisodeEnd]:
        """Step these copies and write what they answer into row i of the arrays.

        Gives (i, terminated, whether the step was one) for every copy whose episode ended: it must `begin` another.
        """
        native, envs, write = self._rows(self._native(action)), self._envs, self._write
        self._clock += 1
        ended: list[EpisodeEnd] = []
        for i in copies:
            try:
                observed, reward[i], terminated, truncated, _ = envs[i].step(native[i])
                write(next_obs, i, observed)
            except Exception as error:
                self._recreate(i, error)
                reward[i] = 0
                for x in tree_leaves(next_obs):
                    x[i] = 0
                ended.append((i, False, False))
                continue
            if terminated or truncated:
                ended.append((i, bool(terminated), True))
        return self._out_of_time(copies, ended) if self._clock >= self._due else ended

    def _out_of_time(self, copies: Iterable[int], ended: list[EpisodeEnd]) -> list[EpisodeEnd]:
        """Also those that have now made as many steps as an episode may have."""
        last = [began + limit for began, limit in zip(self._began, self._limits, strict=True)]
        self._due = min((end for end in last if end > self._clock), default=NEVER)
        known = {i for i, *_ in ended}
        return sorted(ended + [(i, False, True) for i in copies if last[i] <= self._clock and i not in known])

    def begin(self, copies: Iterable[int], obs: Any) -> None:
        """Begin the next episodes of these copies, and write what they show into row i of the arrays."""
        for i in copies:
            self._write(obs, i, self._begin(i))

    def shard(self, first: int, count: int) -> "Callable[[], Gymnasium] | None":
        """A factory for some of the copies, to be called in another process; None without `make`."""
        if self.make is None:
            return None
        return functools.partial(Gymnasium, self.make, count, self.spec.name, self.spec.time_limit, self._first + first)

    def close(self) -> None:
        """Close every copy."""
        for env in self._envs:
            if env is not None:
                env.close()

    def _begin(self, i: int) -> Any:
        group = (self._first + i) // self._group
        words = np.random.SeedSequence((self._seed, group, int(self._episodes[i]))).generate_state(1)
        self._episodes[i] += 1
        self._seeds[i], self._began[i] = int(words[0]) >> 1, self._clock
        self._due = min(self._due, self._clock + self._limits[i])
        try:
            return self._envs[i].reset(seed=self._seeds[i])[0]
        except Exception as error:
            self._recreate(i, error)
            return self._begin(i)

    def _recreate(self, i: int, error: Exception) -> None:
        """Make a copy anew that raised; raise EnvironmentFailed where that has been done as often as it may be."""
        if self.make is None or self.restarted >= self.restarts:
            what = " ".join(str(error).split())
            raise EnvironmentFailed(
                f"environment {self._first + i} of {self.spec.name} raised {type(error).__name__}: {what}; at step"
                f" {self._clock - self._began[i]} of an episode that began with seed {self._seeds[i]}",
                traceback.format_exc(),
            ) from error
        self.restarted += 1
        with contextlib.suppress(Exception):
            self._envs[i].close()
        self._put(i, self._make_one())

    def _make_one(self) -> gymnasium.Env:
        assert self.make is not None
        return self.make()

    def _put(self, i: int, env: gymnasium.Env) -> None:
        """Have it as copy i; without its watchers, unless it is somebody else's."""
        self._envs[i], limit = (env, NEVER) if self.make is None else unwrap_passive(env)
        self._limits[i] = min(limit, self._limit)


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
    one = map_leaves(space, lambda leaf: (lambda x: x.item()) if whole(leaf) else lambda x: x)

    def rows(native: Any) -> list[Any]:
        n = len(tree_leaves(native)[0])
        return [one(tree_map(lambda x, i=i: x[i, ...], native)) for i in range(n)]

    return rows
