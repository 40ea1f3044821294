"""Signals that end a run: SIGINT and SIGTERM become requests to stop, and nothing that was trained is lost."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from logpi.loop.topology import ONE_PROCESS, Topology
from logpi.training.console_stream import ConsoleStream


class Terminated(BaseException):
    """SIGTERM arrived during abortable work: that work is dropped, everything before it is saved."""


REQUESTS: tuple[type[BaseException] | None, ...] = (None, KeyboardInterrupt, Terminated)  # by increasing urgency


class Interrupts:
    """Handlers of SIGINT and SIGTERM while a run trains.

    SIGINT: finish the iteration, save, stop; a second one ends the process at once. SIGTERM: drop the iteration, save,
    stop. A rollout or an evaluation on the host ends at the next line of Python; a compiled program cannot be left
    before it returns, and one that makes whole iterations is not dropped but finished. Signals reach Python in the main
    thread only: elsewhere no handler is installed.

    - `requested`: KeyboardInterrupt after SIGINT, Terminated after SIGTERM, else None; of this process alone.
    """

    def __init__(self, topology: Topology = ONE_PROCESS):
        """Install nothing before `with`. - `topology`: the processes that stop together."""
        self._topology = topology
        self._previous_handlers: dict[int, Any] = {}
        self._abortable = False
        self.requested: type[BaseException] | None = None

    def agreed(self) -> type[BaseException] | None:
        """Return the most urgent request that any of the run's processes received: all of them stop together."""
        return REQUESTS[self._topology.agree(REQUESTS.index(self.requested))]

    @contextmanager
    def abortable(self, may: bool = True) -> Iterator[None]:
        """Let SIGTERM abort the block by raising `Terminated`; with `may` False the block is finished first.

        Of several processes none aborts alone, since the others would wait for it: the block is finished.
        """
        self._abortable = may and self._topology.num_processes == 1
        try:
            if self._abortable and self.requested is Terminated:
                raise Terminated
            yield
        finally:
            self._abortable = False

    def __enter__(self) -> "Interrupts":
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in ((signal.SIGINT, self._interrupt), (signal.SIGTERM, self._terminate)):
                self._previous_handlers[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *error: object) -> None:
        """Install the previous handlers again."""
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.requested = self.requested or KeyboardInterrupt
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends the process even where no Python line runs
        ConsoleStream().write("\nlogpi: finishing this iteration and saving; once more to end at once\n")

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self.requested = Terminated
        if self._abortable:
            raise Terminated
