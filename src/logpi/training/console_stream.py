"""Standard error as a stream that never ends or holds up the training."""

import contextlib
import io
import os
import select
import sys
from typing import TextIO

PIECE = 512  # bytes: a pipe that is ready takes as many without blocking, everywhere (_POSIX_PIPE_BUF)
PATIENCE = 1.0  # seconds until a reader that takes nothing counts as gone


class ConsoleStream(io.TextIOBase):
    """Text stream to standard error; text that nobody takes is dropped.

    A pipe whose reader has stopped, a terminal that is held (Ctrl-S), a full disk and a stream that is closed would
    otherwise block the training or end it, and signals would not be heard. A reader that has kept the stream waiting
    once is not waited for again until it takes something.
    """

    def __init__(self, stream: TextIO | None = None):
        """Write to `stream`, by default to what standard error is now."""
        self._stream = sys.stderr if stream is None else stream
        self._patience = PATIENCE
        try:
            self._descriptor = self._stream.fileno()
        except (AttributeError, OSError, ValueError):  # no stream at all, or one in memory
            self._descriptor = None

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        """Return the descriptor of the stream. Raises OSError where it has none."""
        if self._descriptor is None:
            raise OSError("the stream has no descriptor")
        return self._descriptor

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        with contextlib.suppress(AttributeError, OSError, ValueError):
            return self._stream.isatty()
        return False

    def writable(self) -> bool:
        """Tell that the stream takes text."""
        return True

    def write(self, text: str) -> int:
        """Write text, or drop what is not taken; returns its length."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if self._descriptor is None or not hasattr(select, "poll"):
                self._stream.write(text)
                self._stream.flush()
            else:
                self._send(text.encode(self.encoding, "backslashreplace"))
        return len(text)

    def _send(self, data: bytes) -> None:
        """Send bytes while the reader takes them."""
        for start in range(0, len(data), PIECE):
            if not self._ready():
                return
            os.write(self.fileno(), data[start : start + PIECE])

    def _ready(self) -> bool:
        """Wait until the reader takes something, but not longer than it deserves."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        ready = bool(poll.poll(self._patience * 1000))
        self._patience = PATIENCE if ready else 0.0
        return ready
