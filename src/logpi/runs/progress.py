"""The progress of a run: counts and times since it began."""

from dataclasses import asdict, dataclass, fields
from numbers import Number
from typing import Any

from logpi.errors import LogpiError


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


def read(facts: dict[str, Any]) -> Progress:
    """Read what `facts` returned, from a checkpoint's metadata. Raises LogpiError for anything else."""
    values = facts.get("progress")
    names = {field.name for field in fields(Progress)}
    if (
        not isinstance(values, dict)
        or set(values) != names
        or not all(isinstance(x, Number | None) for x in values.values())
    ):
        raise LogpiError("the checkpoint has no progress of its run")
    return Progress(**values)
