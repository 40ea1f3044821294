"""How the environments of a host run are shared out over processes. Needs no JAX."""

import os
from dataclasses import dataclass
from typing import Any

from logpi.errors import LogpiError

MIN_ROLLOUT_ROWS, MIN_RUN_STEPS = 512, 50_000  # to a rollout, to a run: below, starting and asking workers costs more


@dataclass(frozen=True)
class Workers:
    """Processes that step environments, each a share of them, with a copy of the policy.

    - `number`: how many; 0: environments are stepped in the process that learns; None: one for each core, where an
      iteration and the run are long enough for that to pay. The number changes no bit of what is learned.
    - `restarts`: how often an environment that raises, or hangs or dies with its worker, may be made anew.
    - `step_timeout`: seconds without a step after which a worker hangs.
    - `pipeline`: collect the next rollout while the last one is learned from. The policy that acts is then older by
      one update, which the ratio to it accounts for.
    """

    number: int | None = None
    restarts: int = 0
    step_timeout: float = 600.0
    pipeline: bool = False

    def __post_init__(self):
        """Raises LogpiError for what cannot be."""
        if self.number is not None and self.number < 0:
            raise LogpiError(f"workers is {self.number}; allowed: a whole number ≥ 0, or auto")
        if self.restarts < 0:
            raise LogpiError(f"restarts is {self.restarts}; allowed: a whole number ≥ 0")
        if not self.step_timeout > 0:
            raise LogpiError(f"step_timeout is {self.step_timeout}; allowed: seconds > 0")
        if self.pipeline and self.number == 0:
            raise LogpiError("pipeline needs workers that collect while this process learns; allowed: workers ≥ 1")

    @property
    def optional(self) -> bool:
        """True if a run may do without workers: it was not told their number, and no pipeline needs them."""
        return not self.number and not self.pipeline

    def resolve_count(self, num_envs: int, rows: int, steps: int) -> int:
        """How many for so many environments, rows to an iteration and steps in all."""
        if self.number is not None:
            return min(self.number, num_envs)
        pays = (rows >= MIN_ROLLOUT_ROWS and steps >= MIN_RUN_STEPS) or self.pipeline
        return min(available_cores(), num_envs) if pays and available_cores() > 1 else 0


IN_PROCESS = Workers(0)


def parse_workers(given: Any) -> Workers:
    """Workers from what a user says: themselves, their number, or "auto"."""
    if isinstance(given, Workers):
        return given
    if given == "auto":
        return Workers()
    if isinstance(given, int) and not isinstance(given, bool):
        return Workers(given)
    raise LogpiError(f'workers is {given!r}; allowed: "auto", a whole number ≥ 0, or Workers(…)')


def available_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
