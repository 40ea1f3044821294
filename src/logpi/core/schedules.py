"""Hyperparameters that change during training."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax  # annotations name it in full: options are read without importing JAX


@dataclass(frozen=True)
class LinearSchedule:
    """Linear interpolation over the run: start + (end − start) · progress.

    `start` and `end` are numbers, or anything with the same arithmetic.
    """

    start: Any
    end: Any

    def at(self, progress: "float | jax.Array") -> Any:
        """Value at `progress` ∈ [0, 1], the fraction of the run's steps already taken."""
        return self.start + (self.end - self.start) * progress


def parse_schedule(text: str) -> LinearSchedule:
    """Parse "start:end", the notation of the command line. Raises ValueError for any other text.

    >>> parse_schedule("1e-3:0")
    LinearSchedule(start=0.001, end=0.0)
    """
    start, end = text.split(":")
    return LinearSchedule(float(start), float(end))
