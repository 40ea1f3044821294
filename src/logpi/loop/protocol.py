"""The contract of a training loop: budgeted calls that run iterations, and snapshots of unfinished episodes."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from logpi.loop.iteration import Carry, Info


class CallBudget(NamedTuple):
    """Stopping conditions of one call of a training loop. At least one iteration always runs.

    - `steps`: environment steps taken before this call.
    - `budget`: total environment steps of the run; schedules use steps / budget.
    - `stop_at_steps`: start no iteration after this step count (the next evaluation is due there).
    - `max_steps_per_iteration`: upper bound; an iteration that might exceed `budget` is not started.
    - `max_iterations`: at most this many iterations in the call.
    """

    steps: int
    budget: int
    stop_at_steps: int
    max_steps_per_iteration: int
    max_iterations: int = 1


@runtime_checkable
class Loop(Protocol):
    """Compiled training iterations, and the state they keep outside the carry: host environments, worker processes."""

    @property
    def donates_carry(self) -> bool:
        """True if `run` consumes the carry it is given: its arrays cannot be read, or saved, afterwards."""
        ...

    def run(self, carry: Carry, budget: CallBudget) -> tuple[Carry, list[Info]]:
        """Run iterations until the budget ends the call: (carry, metrics of each iteration)."""
        ...

    def snapshot(self) -> Callable[[], dict[str, Any]]:
        """Return a function that builds the arrays `resume` needs for the episodes that are unfinished now.

        Later iterations do not change its result. Building is deferred because most snapshots are never saved.
        """
        ...

    def resume(self, carry: Carry, snapshot: dict[str, Any]) -> Bool[np.ndarray, " N"]:
        """Bring the environments back to a snapshot; returns which of them had to begin a new episode instead."""
        ...

    def close(self) -> None:
        """Stop the worker processes that the loop started."""
        ...
