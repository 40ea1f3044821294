"""What happens when someone wants a run to end: nothing that was trained is lost."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Terminated(BaseException):
    """SIGTERM came: what is under way is dropped, what was finished is saved."""


class Interrupts:
    """SIGINT once: finish the iteration, save, stop; twice: end at once. SIGTERM: drop the iteration, save, stop.

    A rollout or an evaluation on the host ends at the next line of Python; a compiled program cannot be left before
    it returns, and one that makes whole iterations is not dropped but finished. Signals reach Python in the main
    thread only: elsewhere nothing is installed and nothing changes.
    """

    def __init__(self):
        """Nothing is listened to before `with`."""
        self._before: dict[int, Any] = {}
        self._droppable = False
        self.requested: type[BaseException] | None = None

    @contextmanager
    def abortable(self, may: bool = True) -> Iterator[None]:
        """Work that SIGTERM may break off, raising `Terminated`; or may not, and then it is finished first."""
        self._droppable = may
        try:
            if may and self.requested is Terminated:
                raise Terminated
            yield
        finally:
            self._droppable = False

    def __enter__(self) -> "Interrupts":
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            for number, answer in ((signal.SIGINT, self._interrupt), (signal.SIGTERM, self._terminate)):
                self._before[number] = signal.signal(number, answer)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the signals back to whoever listened before."""
        for number, answer in self._before.items():
            signal.signal(number, answer if answer is not None else signal.SIG_DFL)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.requested = self.requested or KeyboardInterrupt
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the second one need not wait for Python
        os.write(2, b"\nlogpi: finishing this iteration and saving; once more to end at once\n")

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self.requested = Terminated
        if self._droppable:
            raise Terminated
