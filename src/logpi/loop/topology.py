"""The processes of one run, over one machine or many, and the decisions they have to take together."""

from dataclasses import dataclass

import jax
import numpy as np


@dataclass(frozen=True)
class Topology:
    """Number of processes of a run, and this process's index among them.

    All processes run the same programs, and these exchange sums: a process that makes one iteration more, or saves a
    checkpoint when the others do not, waits for them forever. Whatever depends on a wall clock or a signal (the length
    of a call, a checkpoint being due, a request to stop) is therefore passed through `agree`.
    """

    process_index: int = 0
    num_processes: int = 1

    def agree(self, value: int) -> int:
        """Return the largest of the values that the processes propose; on one process, the value itself.

        Every process must ask the same questions in the same order. Of truth values, the largest says whether any
        process answers yes.
        """
        if self.num_processes == 1:
            return value
        from jax.experimental import multihost_utils  # here, since its import takes time that most runs can spare

        return int(np.max(multihost_utils.process_allgather(np.int32(value))))


ONE_PROCESS = Topology()


def current_topology() -> Topology:
    """Return the topology that JAX knows: one process, unless `jax.distributed` was initialized."""
    return Topology(jax.process_index(), jax.process_count())
