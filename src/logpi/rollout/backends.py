"""The contract between a host rollout and whatever collects for it. Needs no JAX.

`collector.Collector` keeps it in this process, `workers.pool.WorkerPool` with worker processes.
"""

from typing import Any, Protocol

import numpy as np

from logpi.core.numpy_trees import HostTree
from logpi.rollout.episode_replay import EpisodeSnapshot

Rows = dict[str, Any]
"""The buffers of one rollout by field, [T, columns, ...]; see `buffers.allocate_buffers`."""


class RolloutBackend(Protocol):
    """Collects rollouts, one at a time, into sets of buffers."""

    @property
    def obs(self) -> HostTree:
        """Current observations [N, ...], the next to be acted on."""
        ...

    @property
    def episode(self) -> np.ndarray:
        """Index of each environment's current episode, int [N]; only where environments are `Restartable`."""
        ...

    def start(self, weights: list[Any], draws: list[np.ndarray], seed: int, which: int = 0) -> None:
        """Start a rollout with the arrays of μ and the leaves of its noise, into buffer set `which`."""
        ...

    def done(self) -> bool:
        """Tell whether `finish` would return without waiting."""
        ...

    def finish(self) -> None:
        """Wait until the rollout that was started is complete."""
        ...

    def rows(self, which: int) -> Rows:
        """Return one of the buffer sets."""
        ...

    def begin(self, seed: int) -> None:
        """Begin new episodes in all environments."""
        ...

    def resume(self, saved: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Replay the unfinished episodes of a snapshot; returns bool [N], True where a new episode began instead."""
        ...
