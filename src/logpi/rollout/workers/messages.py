"""What a crew and its workers tell each other. Needs no JAX."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from logpi.core.collection import Collect
from logpi.environments.protocol import SteppableCopies
from logpi.numpy_policy.program import Program
from logpi.rollout.observations import Store


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
    """Where environments stand: what they show, the episodes they are in, how many had to be made anew so far."""

    obs: Any
    episode: np.ndarray
    restarted: int


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to collect: how it acts, and where it writes."""

    program: Program
    block: int
    collect: Collect
    store: type[Store]
    places: Any
