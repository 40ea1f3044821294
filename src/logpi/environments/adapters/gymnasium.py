"""N copies of a Gymnasium environment, stepped one after the other in this process."""

import contextlib
import functools
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import gymnasium
import numpy as np
from gymnasium import spaces

from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.environments.adapters.instances import claim, release
from logpi.environments.adapters.registrations import Registrations, registrations
from logpi.environments.adapters.stateful_wrappers import warnings_of
from logpi.environments.adapters.time_limit import NEVER, time_limit_of, unwrap_passive
from logpi.environments.answers import AnswerCheck, FirstContact
from logpi.environments.closing import close_environment
from logpi.environments.protocol import EpisodeEnd, Spec, Step
from logpi.errors import FAILURES, EnvironmentFailed, LogpiError, reason_of
from logpi.spaces.actions import to_gymnasium
from logpi.spaces.elements import Unfit, row_writer
from logpi.spaces.tree import check, empty, map_leaves

NUMBERS = frozenset(
    {float, int, np.float64, np.float32, np.int64, np.int32}
)  # types of rewards that are stored at once
FLAGS = frozenset({bool, np.bool_})


class Gymnasium:
    """N copies of a Gymnasium environment, each reset in the step in which its episode ends (`SteppableCopies`).

    Every episode is seeded from (seed, group, episode), where each copy is a group of its own unless `reset` is given
    another size. The transitions of copy i therefore do not depend on the number of copies. Observations are stored in
    the space's dtype, 64 bits as 32; those of a Dict space are dicts, of a Tuple space tuples, with leaves [N, ...].

    `TimeLimit` and `OrderEnforcing` are taken off where they are the outermost wrappers, and time limits are counted
    here instead: one shared clock and the next step at which any copy is due cost less than a wrapper around each.

    The first answers of each copy are checked as they come (`FirstContact`); later ones where their types, shapes or
    dtypes are others.

    A copy that raises is replaced by a new one up to `restarts` times (0 unless it is set): the step is then
    `truncated` and not `valid`, and `restarted` counts it.
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
        """Make the first copy; the others are made when they are first reset.

        - `make`: makes one copy; None if the only copy is `ready`, which then keeps its wrappers.
        - `num_envs`: N.
        - `name`: of the environment, for its spec and for errors.
        - `time_limit`: shortens episodes if the task's own limit is longer or missing, in steps.
        - `first`: number of the first copy among all, where these are a shard of them.
        - `ready`: the first copy, if it exists already.
        """
        self._make, self._first, self._given_limit = make, first, time_limit
        self._time_limit = NEVER if time_limit is None else time_limit
        env = self._make_copy() if ready is None else ready
        limit = min(self._time_limit, time_limit_of(env) or NEVER)
        self.spec = Spec(
            name,
            num_envs,
            env.observation_space,
            env.action_space,
            None if limit == NEVER else limit,
            warnings_of(env, name),
        )
        self.restarts = self.restarted = 0

        check(env.observation_space, "observation")
        self._to_native = to_gymnasium(env.action_space, name, first)
        self._split = _action_splitter(env.action_space)
        self._empty = empty(env.observation_space, num_envs)
        self._write = row_writer(env.observation_space)

        self._envs: list[Any] = [None] * num_envs
        self._limits = [NEVER] * num_envs  # of each copy, as its wrappers or `time_limit` say
        self._place(0, env)

        self._seed, self._group = 0, 1
        self._episodes = np.zeros(num_envs, np.int64)  # begun by each copy under the seed
        self._seeds = [0] * num_envs  # of the episodes under way
        self._clock, self._due = 0, NEVER  # steps so far; the first clock at which a copy reaches its limit
        self._began = [0] * num_envs  # the clock when each episode began

    @property
    def episode(self) -> np.ndarray:
        """Index of the episode that each copy is in under its seed, int [N], from 0."""
        return self._episodes - 1

    def example(self) -> HostTree:
        """Make observations [N, ...] of the right shapes and dtypes, all zero."""
        return self._empty()

    def reset(self, seed: int, group: int = 1) -> HostTree:
        """Begin the first episode of each copy under this seed; neighbors in groups of `group` are seeded alike."""
        self._group = group
        return self.restart(seed, np.zeros_like(self._episodes))

    def restart(self, seed: int, episode: np.ndarray) -> HostTree:
        """Begin the given episode of each copy under this seed, as if those before it had been played."""
        self._seed = seed
        self._episodes[:] = episode
        for i, env in enumerate(self._envs):
            if env is None:
                self._place(i, self._make_copy())
        obs = self._empty()
        self.begin(range(self.spec.num_envs), obs)
        return obs

    def step(self, action: HostTree, idle: np.ndarray) -> Step:
        """Step every copy that is not idle, and begin the next episode where one ended."""
        n = self.spec.num_envs
        for i in np.flatnonzero(idle):
            self._began[i] += 1  # keeps an idle copy's time, clock − began, the same while the clock advances
        next_obs, reward = self._empty(), np.zeros(n, np.float32)
        terminated, truncated, valid = np.zeros(n, bool), np.zeros(n, bool), ~idle
        ends = self.advance(action, next_obs, reward, np.flatnonzero(valid).tolist())
        obs = next_obs
        if ends:
            obs = tree_map(np.copy, next_obs)
            self.begin([i for i, *_ in ends], obs)
        for i, has_terminated, is_valid in ends:
            terminated[i], truncated[i], valid[i] = has_terminated, not has_terminated, is_valid
        return Step(obs, next_obs, reward, terminated, truncated, valid)

    def advance(
        self, action: HostTree, next_obs: HostTree, reward: np.ndarray, copies: Iterable[int]
    ) -> list[EpisodeEnd]:
        """Step these copies and write observation and reward into row i of the arrays.

        Returns (i, terminated, valid) for every copy whose episode ended; the caller must `begin` its next one.
        """
        native, envs, write = self._split(self._to_native(action)), self._envs, self._write
        self._clock += 1
        ends: list[EpisodeEnd] = []
        for i in copies:
            try:
                answer = envs[i].step(native[i])
                try:
                    obs, number, terminated, truncated, _ = answer
                    write(next_obs, i, obs)
                except (Unfit, ValueError, TypeError):
                    self._refuse_step(i, answer)
                if type(number) not in NUMBERS or type(terminated) not in FLAGS or type(truncated) not in FLAGS:
                    self._check_of(i).check_step(answer)
                reward[i] = number
            except LogpiError:
                raise  # a wrong answer: another copy would give it, too
            except FAILURES as error:
                self._replace(i, error)
                reward[i] = 0
                for x in tree_leaves(next_obs):
                    x[i] = 0
                ends.append((i, False, False))
                continue
            if terminated or truncated:
                ends.append((i, bool(terminated), True))
        return self._with_time_limits(copies, ends) if self._clock >= self._due else ends

    def begin(self, copies: Iterable[int], obs: HostTree) -> None:
        """Begin the next episode of these copies and write its first observation into row i of `obs`."""
        for i in copies:
            first = self._begin_episode(i)
            try:
                self._write(obs, i, first)
            except Unfit:
                self._check_of(i).check_reset((first, {}))
                raise

    def shard(self, first: int, count: int) -> "Callable[[], Gymnasium] | None":
        """Give a picklable factory for some of the copies, to be called in another process; None without `make`."""
        if self._make is None:
            return None
        return functools.partial(
            _make_shard, registrations(), self._make, count, self.spec.name, self._given_limit, self._first + first
        )

    def close(self) -> None:
        """Close every copy."""
        for env in self._envs:
            if env is not None:
                release(env.unwrapped, self)
                close_environment(env, self.spec.name)

    def _with_time_limits(self, copies: Iterable[int], ends: list[EpisodeEnd]) -> list[EpisodeEnd]:
        """Add the copies that have reached their time limit, in order, and find when the next one will."""
        last_step = [began + limit for began, limit in zip(self._began, self._limits, strict=True)]
        self._due = min((clock for clock in last_step if clock > self._clock), default=NEVER)
        ended = {i for i, *_ in ends}
        return sorted(ends + [(i, False, True) for i in copies if last_step[i] <= self._clock and i not in ended])

    def _begin_episode(self, i: int) -> object:
        """Reset copy i with the seed of its next episode; its first observation."""
        group = (self._first + i) // self._group
        words = np.random.SeedSequence((self._seed, group, int(self._episodes[i]))).generate_state(1)
        self._episodes[i] += 1
        self._seeds[i], self._began[i] = int(words[0]) >> 1, self._clock
        self._due = min(self._due, self._clock + self._limits[i])
        try:
            answer = self._envs[i].reset(seed=self._seeds[i])
            if type(answer) is not tuple or len(answer) != 2:
                self._check_of(i).check_reset(answer)
            return answer[0]
        except LogpiError:
            raise
        except FAILURES as error:
            self._replace(i, error)
            return self._begin_episode(i)

    def _replace(self, i: int, error: BaseException) -> None:
        """Replace copy i, which raised. Raises EnvironmentFailed where no more copies may be replaced."""
        if self._make is None or self.restarted >= self.restarts:
            reason = reason_of(error)
            raise EnvironmentFailed(
                f"environment {self._first + i} of {self.spec.name} raised {type(error).__name__}: {reason}; at step"
                f" {self._clock - self._began[i]} of an episode that began with seed {self._seeds[i]}",
                traceback.format_exc(),
            ) from error
        self.restarted += 1
        with contextlib.suppress(*FAILURES):
            self._envs[i].close()
        self._place(i, self._make_copy())

    def _make_copy(self) -> gymnasium.Env:
        assert self._make is not None
        return self._make()

    def _place(self, i: int, env: gymnasium.Env) -> None:
        """Use an environment as copy i, without passive wrappers unless it belongs to the caller (`ready`)."""
        if self._make is not None:
            claim(env, self, i, self.spec.name)
        inner, limit = (env, NEVER) if self._make is None else unwrap_passive(env)
        self._limits[i] = min(limit, self._time_limit)
        step_directly = functools.partial(self._envs.__setitem__, i)
        self._envs[i] = FirstContact(inner, self._check_of(i), step_directly)

    def _check_of(self, i: int) -> AnswerCheck:
        """The check of copy i's answers: of its first ones, and of later ones of another form."""
        return AnswerCheck(f"environment {self._first + i} of {self.spec.name}", self.spec.observation_space)

    def _refuse_step(self, i: int, answer: object) -> NoReturn:
        """Raise LogpiError for a step of copy i whose answer does not fit."""
        self._check_of(i).check_step(answer, self._clock - self._began[i] - 1)
        raise AssertionError("an answer that could not be stored fits")


def _make_shard(registered: Registrations, make: Callable[[], gymnasium.Env], *arguments: Any) -> Gymnasium:
    """Make some of the copies in another process; its first copy shows whether it knows the environment's id."""
    count, name, time_limit, first = arguments
    return Gymnasium(make, count, name, time_limit, first, ready=registered.make(make))


def _action_splitter(space: spaces.Space) -> Callable[[Any], Any]:
    """Make the function that splits a batch of actions into one for each copy; a Discrete one becomes a Python int."""
    match space:
        case spaces.Discrete():
            return lambda native: native.tolist()
        case spaces.Dict() | spaces.Tuple():
            return _tree_splitter(space)
    return lambda native: native


def _tree_splitter(space: spaces.Space) -> Callable[[Any], Any]:
    """Make the splitter of a Dict or Tuple space, leaf by leaf."""
    is_discrete = lambda leaf: isinstance(leaf, spaces.Discrete)
    to_element = map_leaves(space, lambda leaf: (lambda x: x.item()) if is_discrete(leaf) else lambda x: x)

    def split(native: HostTree) -> list[Any]:
        n = len(tree_leaves(native)[0])
        return [to_element(tree_map(lambda x, i=i: x[i, ...], native)) for i in range(n)]

    return split
