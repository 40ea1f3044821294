"""Hyper-parameters that change as training goes on."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LinearSchedule:
    """A straight line from `start` to `end` over the run: start + (end − start) · progress."""

    start: Any
    end: Any

    def at(self, progress: Any) -> Any:
        """The value when a share `progress` ∈ [0, 1] of the steps has been taken."""
        return self.start + (self.end - self.start) * progress


def parse_schedule(text: str) -> LinearSchedule:
    """A schedule written "start:end", as the command line takes it.

    >>> parse_schedule("1e-3:0")
    LinearSchedule(start=0.001, end=0.0)
    """
    start, end = text.split(":")
    return LinearSchedule(float(start), float(end))
