"""The end of a run whose updates are all skipped, so that it does not spend its budget without learning."""

from pathlib import Path
from typing import Any

from logpi.errors import NothingLearned

PATIENCE = 10  # consecutive iterations


class StopOnSkippedUpdates:
    """Counter of consecutive iterations whose updates were all skipped because they were not finite."""

    def __init__(self, directory: Path):
        """Make a counter for the run in a directory, which the error message names."""
        self._directory, self._skipped = directory, 0

    def record(self, record: dict[str, Any]) -> None:
        """Count one iteration. Raises NothingLearned after `PATIENCE` consecutive skipped updates."""
        skipped = (record.get("skipped_updates") or 0) > 0 and record.get("step_norm") == 0
        self._skipped = self._skipped + 1 if skipped else 0
        if self._skipped == PATIENCE:
            raise NothingLearned(
                f"skipped_updates: in {PATIENCE} iterations in a row every update was left out, because the objective"
                f" or its gradient was not finite; the policy before them is in {self._directory / 'checkpoints'}; look"
                " at the size of rewards and observations, or try a smaller learning_rate"
            )
