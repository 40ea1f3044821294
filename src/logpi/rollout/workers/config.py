"""Settings of the worker processes that step host environments. Needs no JAX."""

from dataclasses import dataclass

from logpi.core.processes import available_cores
from logpi.core.scalars import read_integer
from logpi.errors import LogpiError, shown

# Below these, starting workers and communicating with them costs more time than they save.
MIN_ROLLOUT_ROWS = 512  # rows per rollout
MIN_RUN_STEPS = 50_000  # environment steps per run


@dataclass(frozen=True)
class Workers:
    """Worker processes, each of which steps some of the environments with a copy of the policy.

    - `number`: number of processes, ≥ 0. 0: environments are stepped in the process that learns. None (default): one
      per core, if iterations and run are long enough for that to pay. The number changes no bit of what is learned.
    - `restarts`: number of times, ≥ 0, that an environment which raises, hangs, or dies with its worker is replaced.
    - `step_timeout`: seconds, > 0, without a step after which a worker counts as hung.
    - `pipeline`: collect the next rollout while learning from the last one. The behavior policy is then one update
      old, for which the ratio π / μ accounts.
    """

    number: int | None = None
    restarts: int = 0
    step_timeout: float = 600.0
    pipeline: bool = False

    def __post_init__(self):
        """Raise LogpiError for settings that are not allowed."""
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
        """Return the number of processes for a run.

        - `num_envs`: N.
        - `rows`: rows per rollout.
        - `steps`: environment steps of the run.
        """
        if self.number is not None:
            return min(self.number, num_envs)
        pays = (rows >= MIN_ROLLOUT_ROWS and steps >= MIN_RUN_STEPS) or self.pipeline
        return min(available_cores(), num_envs) if pays and available_cores() > 1 else 0


IN_PROCESS = Workers(0)


def parse_workers(given: object) -> Workers:
    """Read the argument `workers`: `Workers`, their number, or "auto"."""
    if isinstance(given, Workers):
        return given
    if given is None or (isinstance(given, str) and given.lower() == "auto"):
        return Workers()
    try:
        return Workers(read_integer(given))
    except (TypeError, OverflowError):
        pass
    except ValueError as error:
        if isinstance(error, LogpiError):
            raise
    raise LogpiError(f'workers is {shown(repr(given))}; allowed: "auto", a whole number ≥ 0, or Workers(…)')
