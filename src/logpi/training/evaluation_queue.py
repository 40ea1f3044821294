"""Iterations on their way to the recorder, in order: those after an evaluation wait until it is over."""

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
    """Iterations, what is to be kept after the last of them, and the evaluation of its policy, if there is one."""

    infos: list[Info]
    resume_state: Callable[[], ResumeState]
    pending: PendingEvaluation | None

    @property
    def ready(self) -> bool:
        """Whether nothing needs to be waited for."""
        return self.pending is None or self.pending.done()

    def evaluation(self) -> Evaluation | None:
        """The evaluation, once it is over; the time that is spent waiting counts as evaluation."""
        if self.pending is None:
            return None
        began = time.perf_counter()
        evaluation = self.pending.result()
        self.infos[-1]["eval_seconds"] += time.perf_counter() - began
        return evaluation


class EvaluationQueue:
    """Hands iterations to a recorder. While an evaluation is under way, a run goes on and its rows are held back.

    So rows are the same whether or not anybody waited; `steps` counts those held back, too.
    """

    def __init__(self, record: Record, steps: int, stop: Interrupts, wait: bool):
        """`record` takes iterations, the evaluation after the last and what is kept then; `steps` were taken before.

        With `wait`, every evaluation is waited for at once. SIGTERM ends the wait, and drops what is held.
        """
        self._record, self._stop, self._wait, self._pending = record, stop, wait, list[PendingRows]()
        self.steps = steps

    def steps_after(self, infos: list[Info]) -> int:
        """How many steps the run has taken once these are added."""
        return self.steps + sum(int(info["steps"]) for info in infos)

    def add(self, infos: list[Info], kept: Callable[[], ResumeState], awaited: PendingEvaluation | None) -> bool:
        """What was done last; whether a listener wants to stop."""
        self.steps = self.steps_after(infos)
        if self._pending and self._pending[-1].pending is None:  # one state is kept for all that waits
            infos = [*self._pending.pop().infos, *infos]
        self._pending.append(PendingRows(infos, kept, awaited))
        return self.flush(self._wait)

    def flush(self, wait: bool = True) -> bool:
        """Record what is ready, or with `wait` all there is; whether a listener wants to stop.

        Raises what an evaluation raised, once all is recorded.
        """
        stop, failed = False, None
        while self._pending and (wait or failed or self._pending[0].ready):
            entry, evaluation = self._pending.pop(0), None
            try:
                with self._stop.abortable(not entry.ready):
                    evaluation = entry.evaluation()
            except LogpiError as error:
                failed = error
            stop |= self._record(entry.infos, evaluation, entry.resume_state)
        if failed is not None:
            raise failed
        return stop
