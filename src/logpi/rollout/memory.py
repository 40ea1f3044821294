"""Memories of a policy in the environments of one process, while it acts. Needs no JAX."""

from collections.abc import Sequence

import numpy as np

from logpi.core.numpy_trees import HostTree
from logpi.numpy_policy.blocks import Blocks
from logpi.rollout.backends import Rows

FIELDS = "memory", "initial_memory"
"""Fields of the buffers, each a tuple of arrays [N, ...], for policies that remember: what μ remembers when a rollout
begins and, afterwards, when it has ended; and what it remembers of an episode that begins."""


def memory_fields(memory: tuple[np.ndarray, ...]) -> dict[str, tuple[np.ndarray, ...]]:
    """Allocate the fields for memories like these, [N, ...]; none for a memoryless policy."""
    return {name: tuple(np.zeros_like(h) for h in memory) for name in FIELDS} if memory else {}


class ActorMemory:
    """Memories of a policy at the positions of its blocks; of a memoryless policy, nothing.

    - `present`: True for a policy that remembers.
    """

    def __init__(self, rows: Rows, columns: slice, blocks: Blocks, begins: np.ndarray):
        """Start with what the fields of the buffers say.

        - `columns`: of this process's environments.
        - `begins`: those in which an episode begins, bool [n].
        """
        self.present = FIELDS[0] in rows
        if self.present:
            self._fields = tuple(h[columns] for h in rows[FIELDS[0]])
            self._first = tuple(blocks.spread(h[columns]) for h in rows[FIELDS[1]])
            self._now = tuple(blocks.spread(h) for h in self._fields)
            self._positions = np.arange(blocks.positions.start, blocks.positions.stop)
            self.reset(np.flatnonzero(begins))

    def beside(self, obs: HostTree) -> HostTree:
        """Return what the policy sees beside these observations, at the positions of the blocks."""
        return (obs, self._now) if self.present else obs

    def update(self, answer: tuple[HostTree, ...]) -> None:
        """Take the memory from an answer of the policy."""
        if self.present:
            self._now = answer[2]

    def reset(self, copies: Sequence[int] | np.ndarray) -> None:
        """Forget everything in these copies, in which an episode begins."""
        if not self.present or not len(copies):
            return
        positions = self._positions[copies]
        self._now = tuple(np.array(h) for h in self._now)  # an answer may be read-only
        for h, first in zip(self._now, self._first, strict=True):
            h[positions] = first[positions]

    def store(self) -> None:
        """Write the memories into the buffers, from which the next rollout begins."""
        if self.present:
            for field, h in zip(self._fields, self._now, strict=True):
                field[...] = h[self._positions]
