"""How far a run has come."""

from dataclasses import asdict, dataclass, fields
from numbers import Number
from typing import Any

from logpi.errors import LogpiError


@dataclass
class Progress:
    """Counts and times since the run began, over all the processes that made it.

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
        """As JSON can say it."""
        return asdict(self)


def read(facts: dict[str, Any]) -> Progress:
    """What `facts` wrote. Raises LogpiError for anything else."""
    said = facts.get("progress")
    names = {field.name for field in fields(Progress)}
    if not isinstance(said, dict) or set(said) != names or not all(isinstance(x, Number | None) for x in said.values()):
        raise LogpiError("the checkpoint does not say how far its run had come")
    return Progress(**said)
