"""Queue of training metrics that wait for asynchronous evaluations, so that rows are written in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from logpi.errors import LogpiError
from logpi.evaluation.evaluate import Evaluation, PendingEvaluation
from logpi.loop.iteration import Info
from logpi.runs.recorder import ResumeState
from logpi.training.interrupts import Interrupts

Record = Callable[[list[Info], Evaluation | None, Callable[[], ResumeState]], bool]


@dataclass
class PendingRows:
    """Metrics of consecutive iterations, the state to resume from after the last, and the evaluation of its policy."""

    infos: list[Info]
    resume_state: Callable[[], ResumeState]
    pending: PendingEvaluation | None

    @property
    def ready(self) -> bool:
        """True if no evaluation has to be waited for."""
        return self.pending is None or self.pending.done()

    def evaluation(self) -> Evaluation | None:
        """Wait for the evaluation and return it; the seconds spent waiting are added to its seconds."""
        if self.pending is None:
            return None
        started = time.perf_counter()
        evaluation = self.pending.result()
        self.infos[-1]["eval_seconds"] += time.perf_counter() - started
        return evaluation


class EvaluationQueue:
    """Buffers metric rows while an asynchronous evaluation runs, then writes them in order.

    Training continues during an evaluation; rows produced meanwhile are flushed once its result is known, so
    metrics.jsonl does not depend on how long evaluations take.

    - `steps`: environment steps taken so far, including rows not yet written.
    """

    def __init__(self, record: Record, steps: int, interrupts: Interrupts, wait: bool):
        """- `record`: writes (metrics of iterations, evaluation after the last, state after the last); True to stop.
        - `steps`: environment steps taken before.
        - `wait`: wait for every evaluation at once. SIGTERM ends the wait, and drops the rows that waited.
        """
        self._record, self._interrupts, self._wait = record, interrupts, wait
        self._pending = list[PendingRows]()
        self.steps = steps

    def steps_after(self, infos: list[Info]) -> int:
        """Return the environment steps taken once these iterations are added."""
        return self.steps + sum(int(info["steps"]) for info in infos)

    def add(
        self, infos: list[Info], resume_state: Callable[[], ResumeState], evaluation: PendingEvaluation | None
    ) -> bool:
        """Add a call's iterations and the evaluation after the last; returns True if a listener asks to stop."""
        self.steps = self.steps_after(infos)
        # Rows that wait behind an evaluation are merged: of all their states only the last can still be saved.
        if self._pending and self._pending[-1].pending is None:
            infos = [*self._pending.pop().infos, *infos]
        self._pending.append(PendingRows(infos, resume_state, evaluation))
        return self.flush(self._wait)

    def flush(self, wait: bool = True) -> bool:
        """Record the rows that are ready, or with `wait` all rows; returns True if a listener asks to stop.

        Raises what an evaluation raised, after all rows are recorded.
        """
        stop, failure = False, None
        while self._pending and (wait or failure or self._pending[0].ready):
            rows, evaluation = self._pending.pop(0), None
            try:
                with self._interrupts.abortable(not rows.ready):
                    evaluation = rows.evaluation()
            except LogpiError as error:
                failure = error
            stop |= self._record(rows.infos, evaluation, rows.resume_state)
        if failure is not None:
            raise failure
        return stop
