"""Messages between a worker pool and its workers. Needs no JAX."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from logpi.core.collection import Collect
from logpi.environments.protocol import SteppableCopies
from logpi.errors import EnvironmentFailed
from logpi.numpy_policy.program import Program
from logpi.rollout.observations import Store


class EnvironmentsNotMade(EnvironmentFailed):
    """A worker could not make its environments, so that no episode has begun."""


@dataclass(frozen=True)
class EnvironmentShard:
    """The environments that a worker makes and steps: `count` of `total`, from number `first` on.

    - `make`: factory of the worker's copies.
    - `restarts`: how often one of them that raises may be replaced.
    """

    make: Callable[[], SteppableCopies]
    first: int
    count: int
    total: int
    restarts: int


class WorkerStatus(NamedTuple):
    """A worker's reply: current observations [n, ...], episode indices [n], copies replaced so far."""

    obs: Any
    episode: np.ndarray
    restarted: int


@dataclass(frozen=True)
class WorkerSetup:
    """All that a worker needs to collect rollouts.

    - `program`, `block`: the policy, and how many environments one call of it acts for.
    - `store`: how observations are written.
    - `places`: where the arrays lie in the shared memory.
    """

    program: Program
    block: int
    collect: Collect
    store: type[Store]
    places: Any
