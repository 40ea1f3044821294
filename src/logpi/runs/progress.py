"""The progress of a run: counts and times since it began."""

from dataclasses import asdict, dataclass
from typing import Any

from logpi.errors import LogpiError
from logpi.runs.checkpoint import MANIFEST, Checkpoint
from logpi.runs.schema import PROGRESS, check_fields


@dataclass
class Progress:
    """Counts and times since the run began, summed over all processes that trained it.

    - `best`: the best mean return of an evaluation.
    - `rows`: the length of metrics.jsonl, in bytes.
    """

    iteration: int = 0
    steps: int = 0
    episodes: int = 0
    best: float | None = None
    rows: int = 0
    train_seconds: float = 0.0
    eval_seconds: float = 0.0

    def facts(self) -> dict[str, Any]:
        """Return the progress as JSON has it."""
        return asdict(self)


def read(saved: Checkpoint) -> Progress:
    """Read the progress that was saved with a checkpoint. Raises LogpiError, naming the field, where it can be none."""
    values = saved.metadata.get("progress")
    if not isinstance(values, dict):
        raise LogpiError(f"{saved.path / MANIFEST} has no progress of its run")
    check_fields(values, PROGRESS, f"the progress in {saved.path / MANIFEST}")
    if unknown := sorted(set(values) - set(PROGRESS)):
        raise LogpiError(f"the progress in {saved.path / MANIFEST} has {unknown[0]}; allowed: {', '.join(PROGRESS)}")
    return Progress(**values)
