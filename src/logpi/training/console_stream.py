"""Standard error as a stream that never ends or holds up the training."""

import contextlib
import os
import select
import sys
from typing import TextIO

from logpi.core.output import StreamFront

PIECE = 512  # bytes: a pipe that is ready takes as many without blocking, everywhere (_POSIX_PIPE_BUF)
PATIENCE = 1.0  # seconds until a reader that takes nothing counts as gone


class ConsoleStream(StreamFront):
    """Text stream to standard error; text that nobody takes is dropped.

    A pipe whose reader has stopped, a terminal that is held (Ctrl-S), a full disk and a stream that is closed would
    otherwise block the training or end it, and signals would not be heard. A reader that has kept the stream waiting
    once is not waited for again until it takes something.
    """

    def __init__(self, stream: TextIO | None = None):
        """Write to `stream`, by default to what standard error is now."""
        super().__init__(sys.stderr if stream is None else stream)
        self._patience = PATIENCE
        self._descriptor: int | None = None
        with contextlib.suppress(AttributeError, OSError, ValueError):  # no stream at all, or one in memory
            self._descriptor = self.fileno()

    def write(self, text: str) -> int:
        """Write text, or drop what is not taken; returns its length."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if self._descriptor is not None and hasattr(select, "poll"):
                self._send(self._descriptor, text.encode(self.encoding, "backslashreplace"))
            elif self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
        return len(text)

    def _send(self, descriptor: int, data: bytes) -> None:
        """Send bytes while the reader takes them."""
        for start in range(0, len(data), PIECE):
            if not self._ready(descriptor):
                return
            os.write(descriptor, data[start : start + PIECE])

    def _ready(self, descriptor: int) -> bool:
        """Wait until the reader takes something, but not longer than it deserves."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        ready = bool(poll.poll(self._patience * 1000))
        self._patience = PATIENCE if ready else 0.0
        return ready
