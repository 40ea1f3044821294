"""Acting in some of N host environments, and writing what they answer into their columns. Needs no JAX."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.environments.protocol import HostEnvironment, Step, SteppableCopies
from logpi.numpy_policy.blocks import Act, Blocks
from logpi.rollout.episode_replay import EpisodeSnapshot, replay
from logpi.rollout.observations import Store, StorePairs
from logpi.rollout.window import collect_window


@dataclass(frozen=True)
class Shard:
    """Which part of a rollout is whose: environments `first` … `first + count − 1` of `total`, acted for in blocks."""

    first: int
    count: int
    total: int
    block: int


class Collector:
    """Collects the share of one process, in its own arrays or in memory that several share."""

    def __init__(self, environment: HostEnvironment, collect: Collect, share: Shard):
        """`environment` has the share's copies."""
        self._environment, self._collect, self._share = environment, collect, share
        # Asked once: a runtime protocol's check is too slow for a step.
        self._copies = environment if isinstance(environment, SteppableCopies) else None
        self._blocks = Blocks(share.first, share.count, share.block)
        self._time = np.zeros(share.count, np.int32)
        self._heartbeat = np.zeros(1, np.int64)
        self.obs: Any = None

    def set_heartbeat(self, beat: np.ndarray) -> None:
        """Count steps in this array, where others can see that there is progress."""
        self._heartbeat = beat

    def begin(self, seed: int, episode: np.ndarray | None = None) -> None:
        """Begin new episodes everywhere; or these, in environments that can."""
        group = 1 if isinstance(self._collect, Steps) else self._collect.group
        environment: Any = self._environment
        if episode is not None:
            self.obs = environment.restart(seed, episode)
        else:
            self.obs = environment.reset(seed) if group == 1 else environment.reset(seed, group)
        self._time[:] = 0

    def resume(self, kept: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Bring the environments back to where they stood when that was kept: which began a new episode instead."""
        self.obs, lost = replay(self._environment, seed, kept)
        self._time[:] = np.where(lost, 0, kept["length"])
        return lost

    def collect(self, act: Act, draws: list[np.ndarray], seed: int, rows: dict[str, Any], store: Store) -> None:
        """One rollout with this share's noise, into `rows` [T, N, ...]; whole episodes begin afresh from `seed`."""
        self._observations, self._rows = store, rows
        self._actions, self._sent = tree_leaves(rows["action"]), tree_leaves(rows["sent"])
        if self._copies is not None and isinstance(store, StorePairs) and isinstance(self._collect, Steps):
            self._play(self._copies, act, draws)
        elif isinstance(self._collect, Steps):
            self._window(act, draws)
        else:
            self.begin(seed)
            self._episodes(act, draws, self._collect.episodes_per_env)

    def _play(self, environment: SteppableCopies, act: Act, draws: list[np.ndarray]) -> None:
        mine = slice(self._share.first, self._share.first + self._share.count)
        rows = tree_map(lambda x: x[:, mine], self._rows)
        self.obs, self._time = collect_window(
            environment, self._blocks, act, draws, self.obs, self._time, rows, self._heartbeat
        )

    def _window(self, act: Act, draws: list[np.ndarray]) -> None:
        first, count = self._share.first, self._share.count
        nobody, everyone, columns = np.zeros(count, bool), slice(None), slice(first, first + count)
        if count == self._share.total:
            columns = everyone
        for t in range(draws[0].shape[0]):
            obs = self.obs
            action, native = self._blocks(act, obs, [x[t] for x in draws])
            step = self._environment.step(native, nobody)
            self._write((t, columns), everyone, obs, action, step)
            for buffer, x in zip(self._sent, tree_leaves(native), strict=True):
                buffer[t, columns] = x
            if not step.valid.all() and t:
                self._cut(t - 1, np.flatnonzero(failed_steps(step, nobody)))
            self._advance(step)

    def _episodes(self, act: Act, draws: list[np.ndarray], per_environment: int) -> None:
        """Draws are [k, limit, n, …]; episode e of environment i becomes column e·N + i."""
        first, count, total = self._share.first, self._share.count, self._share.total
        everyone, episode = np.arange(count), np.zeros(count, np.int64)
        valid = self._rows["valid"]
        for e in range(per_environment):
            valid[:, e * total + first : e * total + first + count] = False
        while (episode < per_environment).any():
            idle = episode >= per_environment
            obs = self.obs
            now = np.minimum(episode, per_environment - 1), self._time, everyone
            action, native = self._blocks(act, obs, [x[now] for x in draws])
            step = self._environment.step(native, idle)
            some = np.flatnonzero(step.valid)
            columns = episode * total + first + everyone
            self._write((self._time[some], columns[some]), some, obs, action, step)
            valid[:, columns[failed_steps(step, idle)]] = False  # such an episode is begun again
            self._advance(step)
            episode += step.valid & (step.terminated | step.truncated)

    def _write(self, place: tuple[Any, Any], some: Any, obs: Any, action: Any, step: Step) -> None:
        rows = self._rows
        self._observations.write(place, some, obs, step)
        for buffer, x in zip(self._actions, tree_leaves(action), strict=True):
            buffer[place] = x[some]
        rows["reward"][place] = step.reward[some]
        rows["time"][place] = self._time[some]
        rows["terminated"][place] = step.terminated[some]
        rows["truncated"][place] = step.truncated[some]
        rows["valid"][place] = step.valid[some]
        self._heartbeat[0] += 1

    def _cut(self, row: int, some: np.ndarray) -> None:
        """What failed in the next row was last seen here: its episode is cut, and V of what followed still counts."""
        columns = self._share.first + some
        self._rows["truncated"][row, columns] |= ~self._rows["terminated"][row, columns]

    def _advance(self, step: Step) -> None:
        self.obs = step.obs
        self._time += 1
        self._time[step.terminated | step.truncated | ~step.valid] = 0


def failed_steps(step: Step, idle: np.ndarray) -> np.ndarray:
    """Environments that raised and were made anew: their step is no transition, and their episode ends before it."""
    return step.truncated & ~step.valid & ~idle
