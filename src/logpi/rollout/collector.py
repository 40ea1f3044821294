"""Collection in one process: acting in some of N host environments and filling their columns. Needs no JAX."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.environments.protocol import HostEnvironment, Restartable, Step, SteppableCopies
from logpi.errors import EpisodeOutlasts, LogpiError
from logpi.numpy_policy.blocks import Blocks
from logpi.numpy_policy.program import Act
from logpi.rollout.backends import Rows
from logpi.rollout.buffers import observation_fields
from logpi.rollout.episode_replay import EpisodeSnapshot, replay
from logpi.rollout.memory import FIELDS as MEMORY_FIELDS
from logpi.rollout.memory import ActorMemory
from logpi.rollout.observations import ColumnIndex, RowIndex, Store, StorePairs
from logpi.rollout.window import collect_window


@dataclass(frozen=True)
class Shard:
    """A process's part of a rollout: environments `first` … `first + count − 1` of `total`, acted for in blocks."""

    first: int
    count: int
    total: int
    block: int

    @property
    def columns(self) -> slice:
        """The shard's environments among all."""
        return slice(self.first, self.first + self.count)


class Collector:
    """A rollout backend that collects in the calling process: a rollout is complete when `start` returns.

    A worker process has one for its shard, whose buffers are shared memory; without workers the only one has all
    environments.
    """

    def __init__(
        self,
        environment: HostEnvironment,
        collect: Collect,
        shard: Shard,
        bind: Callable[[list[Any]], Act],
        store: type[Store],
        sets: list[Rows],
        *,
        heartbeat: np.ndarray | None = None,
        limit_threads: Callable[[], AbstractContextManager] = nullcontext,
    ):
        """Collect from `environment`, which has the shard's copies.

        - `bind`: from the arrays of μ to the function that acts for one block.
        - `store`: how observations are written; `sets`: the buffers, for all `shard.total` environments.
        - `heartbeat`: int64 [1], incremented per step, so that another process can see progress.
        - `limit_threads`: context in which a rollout runs.
        """
        self._environment, self._collect, self._shard, self._bind = environment, collect, shard, bind
        self._sets, self._stores = sets, [store(observation_fields(rows)) for rows in sets]
        # Asked once: the check of a runtime protocol is too slow for a step.
        self._restartable = environment if isinstance(environment, Restartable) else None
        copies = environment if isinstance(environment, SteppableCopies) else None
        self._fast_window = copies if store is StorePairs and isinstance(collect, Steps) else None
        self._blocks = Blocks(shard.first, shard.count, shard.block)
        self._time = np.zeros(shard.count, np.int32)
        self._heartbeat = np.zeros(1, np.int64) if heartbeat is None else heartbeat
        self._limit_threads = limit_threads
        self.obs: Any = None

    @property
    def episode(self) -> np.ndarray:
        """Index of each environment's current episode, int [n]."""
        return self._require_restartable().episode

    def begin(self, seed: int, episode: np.ndarray | None = None) -> None:
        """Begin new episodes in all environments: their first, or the given ones of `Restartable` environments."""
        group = 1 if isinstance(self._collect, Steps) else self._collect.group
        if episode is not None:
            self.obs = self._require_restartable().restart(seed, episode)
        else:
            self.obs = self._environment.reset(seed) if group == 1 else self._environment.reset(seed, group)
        self._time[:] = 0

    def resume(self, saved: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Replay the unfinished episodes of a snapshot; returns bool [n], True where a new episode began instead."""
        self.obs, not_restored = replay(self._require_restartable(), seed, saved)
        self._time[:] = np.where(not_restored, 0, saved["length"])
        return not_restored

    def start(self, weights: list[Any], draws: list[np.ndarray], seed: int, which: int = 0) -> None:
        """Collect one rollout with this shard's noise into buffer set `which`; whole episodes begin from `seed`."""
        self._rows, self._observations = self._sets[which], self._stores[which]
        self._actions, self._env_actions = tree_leaves(self._rows["action"]), tree_leaves(self._rows["env_action"])
        with self._limit_threads():
            act = self._bind(weights)
            if not isinstance(self._collect, Steps):
                self.begin(seed)
            memory = ActorMemory(self._rows, self._shard.columns, self._blocks, self._time == 0)
            if self._fast_window is not None:
                self._collect_fast_window(self._fast_window, act, draws, memory)
            elif isinstance(self._collect, Steps):
                self._collect_window(act, draws, memory)
            else:
                self._collect_episodes(act, draws, self._collect.episodes_per_env, memory)
            memory.store()

    def done(self) -> bool:
        """Tell whether `finish` would return without waiting: always."""
        return True

    def finish(self) -> None:
        """Return at once: the rollout was complete when `start` returned."""

    def rows(self, which: int) -> Rows:
        """Return a buffer set; its store may have replaced arrays that were too small by larger ones."""
        return self._sets[which] | self._stores[which].fields

    def _require_restartable(self) -> Restartable:
        if self._restartable is None:
            raise LogpiError(f"{self._environment.spec.name} cannot begin a given episode: it has no `restart`")
        return self._restartable

    def _collect_fast_window(
        self, environment: SteppableCopies, act: Act, draws: list[np.ndarray], memory: ActorMemory
    ) -> None:
        """Collect a window in `SteppableCopies`, with little Python per step."""
        of_steps = {name: x for name, x in self._rows.items() if name not in MEMORY_FIELDS}
        rows = tree_map(lambda x: x[:, self._shard.columns], of_steps)
        self.obs, self._time = collect_window(
            environment, self._blocks, act, draws, self.obs, self._time, rows, self._heartbeat, memory
        )

    def _collect_window(self, act: Act, draws: list[np.ndarray], memory: ActorMemory) -> None:
        """Collect a window in any host environments; draws are [T, n, …]."""
        shard, none_idle, all_copies = self._shard, np.zeros(self._shard.count, bool), slice(None)
        columns = all_copies if shard.count == shard.total else shard.columns
        for t in range(draws[0].shape[0]):
            obs = self.obs
            action, env_action = self._act(act, obs, [x[t] for x in draws], memory)
            step = self._environment.step(env_action, none_idle)
            self._write((t, columns), all_copies, obs, action, step)
            for buffer, x in zip(self._env_actions, tree_leaves(env_action), strict=True):
                buffer[t, columns] = x
            if not step.valid.all() and t:
                self._truncate(t - 1, np.flatnonzero(failed_steps(step, none_idle)))
            self._advance(step, memory)

    def _act(self, act: Act, obs: HostTree, draws: list[np.ndarray], memory: ActorMemory) -> tuple[HostTree, HostTree]:
        """Return (action[n], env_action[n]) for obs[n] and noise[n, ...], and remember."""
        spread = self._blocks.spread
        answer = self._blocks.across(act)(memory.beside(tree_map(spread, obs)), [spread(x) for x in draws])
        memory.update(answer)
        action, env_action = tree_map(lambda x: x[self._blocks.positions], answer[:2])
        return action, env_action

    def _collect_episodes(self, act: Act, draws: list[np.ndarray], episodes_per_env: int, memory: ActorMemory) -> None:
        """Collect whole episodes; draws are [k, limit, n, …], and episode e of environment i is column e·N + i."""
        first, count, total = self._shard.first, self._shard.count, self._shard.total
        copies, episode = np.arange(count), np.zeros(count, np.int64)
        valid = self._rows["valid"]
        for e in range(episodes_per_env):
            valid[:, e * total + first : e * total + first + count] = False
        while (episode < episodes_per_env).any():
            idle = episode >= episodes_per_env
            obs = self.obs
            index = np.minimum(episode, episodes_per_env - 1), self._time, copies
            try:
                noise = [x[index] for x in draws]
            except IndexError:
                raise self._outlasts(len(valid)) from None
            action, env_action = self._act(act, obs, noise, memory)
            step = self._environment.step(env_action, idle)
            stepped = np.flatnonzero(step.valid)
            columns = episode * total + first + copies
            self._write((self._time[stepped], columns[stepped]), stepped, obs, action, step)
            valid[:, columns[failed_steps(step, idle)]] = False  # such an episode is begun again
            self._advance(step, memory)
            episode += step.valid & (step.terminated | step.truncated)

    def _outlasts(self, limit: int) -> EpisodeOutlasts:
        """The error of an episode that is longer than buffers and noise, which are made for the stated time limit."""
        copy, name = self._shard.first + int(self._time.argmax()), self._environment.spec.name
        return EpisodeOutlasts(
            f"an episode of environment {copy} of {name} goes on after its time limit of {limit} steps; allowed: an"
            " environment that states the limit of its own episodes, or a shorter one by max_episode_steps"
        )

    def _write(
        self, index: tuple[RowIndex, ColumnIndex], copies: ColumnIndex, obs: HostTree, action: HostTree, step: Step
    ) -> None:
        """Write the step of these copies at (row, column)."""
        rows = self._rows
        self._observations.write(index, copies, obs, step)
        for buffer, x in zip(self._actions, tree_leaves(action), strict=True):
            buffer[index] = x[copies]
        rows["reward"][index] = step.reward[copies]
        rows["time"][index] = self._time[copies]
        rows["terminated"][index] = step.terminated[copies]
        rows["truncated"][index] = step.truncated[copies]
        rows["valid"][index] = step.valid[copies]
        self._heartbeat[0] += 1

    def _truncate(self, row: int, copies: np.ndarray) -> None:
        """Truncate the episodes of copies that failed in the next row: V of their last observation still counts."""
        columns = self._shard.first + copies
        self._rows["truncated"][row, columns] |= ~self._rows["terminated"][row, columns]

    def _advance(self, step: Step, memory: ActorMemory) -> None:
        self.obs = step.obs
        self._time += 1
        begins = step.terminated | step.truncated | ~step.valid
        self._time[begins] = 0
        memory.reset(np.flatnonzero(begins))


def failed_steps(step: Step, idle: np.ndarray) -> np.ndarray:
    """Mark environments that raised and were replaced, bool [n]: their step is no transition of the MDP."""
    return step.truncated & ~step.valid & ~idle
