"""A run of which every update is left out learns nothing: it is ended, and does not spend its budget."""

from pathlib import Path
from typing import Any

from logpi.errors import NothingLearned

PATIENCE = 10  # iterations in a row


class StopOnSkippedUpdates:
    """Counts iterations in a row whose updates were all left out, since nothing finite came of them."""

    def __init__(self, directory: Path):
        """`directory` is the run's."""
        self._directory, self._in_a_row = directory, 0

    def record(self, record: dict[str, Any]) -> None:
        """One iteration. Raises NothingLearned at the last that is borne."""
        left_out = (record.get("skipped_updates") or 0) > 0 and record.get("step_norm") == 0
        self._in_a_row = self._in_a_row + 1 if left_out else 0
        if self._in_a_row == PATIENCE:
            raise NothingLearned(
                f"skipped_updates: in {PATIENCE} iterations in a row every update was left out, because the objective"
                f" or its gradient was not finite; the policy before them is in {self._directory / 'checkpoints'}; look"
                " at the size of rewards and observations, or try a smaller learning_rate"
            )
