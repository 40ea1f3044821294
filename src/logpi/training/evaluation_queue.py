"""Iterations on their way to the recorder, in order: those after an evaluation wait until it is over."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from logpi.errors import LogpiError
from logpi.evaluation.evaluate import Awaited, Evaluation
from logpi.loop.iteration import Info
from logpi.runs.recorder import Kept
from logpi.training.interrupts import Interrupts

Record = Callable[[list[Info], Evaluation | None, Callable[[], Kept]], bool]


@dataclass
class Entry:
    """Iterations, what is to be kept after the last of them, and the evaluation of its policy, if there is one."""

    infos: list[Info]
    kept: Callable[[], Kept]
    awaited: Awaited | None

    @property
    def ready(self) -> bool:
        """Whether nothing needs to be waited for."""
        return self.awaited is None or self.awaited.over()

    def evaluation(self) -> Evaluation | None:
        """The evaluation, once it is over; the time that is spent waiting counts as evaluation."""
        if self.awaited is None:
            return None
        began = time.perf_counter()
        evaluation = self.awaited.result()
        self.infos[-1]["eval_seconds"] += time.perf_counter() - began
        return evaluation


class Ledger:
    """Hands iterations to a recorder. While an evaluation is under way, a run goes on and its rows are held back.

    So rows are the same whether or not anybody waited; `steps` counts those held back, too.
    """

    def __init__(self, record: Record, steps: int, stop: Interrupts, wait: bool):
        """`record` takes iterations, the evaluation after the last and what is kept then; `steps` were taken before.

        With `wait`, every evaluation is waited for at once. SIGTERM ends the wait, and drops what is held.
        """
        self._record, self._stop, self._wait, self._held = record, stop, wait, list[Entry]()
        self.steps = steps

    def after(self, infos: list[Info]) -> int:
        """How many steps the run has taken once these are added."""
        return self.steps + sum(int(info["steps"]) for info in infos)

    def add(self, infos: list[Info], kept: Callable[[], Kept], awaited: Awaited | None) -> bool:
        """What was done last; whether a listener wants to stop."""
        self.steps = self.after(infos)
        if self._held and self._held[-1].awaited is None:  # one state is kept for all that waits
            infos = [*self._held.pop().infos, *infos]
        self._held.append(Entry(infos, kept, awaited))
        return self.settle(self._wait)

    def settle(self, wait: bool = True) -> bool:
        """Record what is ready, or with `wait` all there is; whether a listener wants to stop.

        Raises what an evaluation raised, once all is recorded.
        """
        stop, failed = False, None
        while self._held and (wait or failed or self._held[0].ready):
            entry, evaluation = self._held.pop(0), None
            try:
                with self._stop.droppable(not entry.ready):
                    evaluation = entry.evaluation()
            except LogpiError as error:
                failed = error
            stop |= self._record(entry.infos, evaluation, entry.kept)
        if failed is not None:
            raise failed
        return stop
