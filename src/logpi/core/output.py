"""Streams of text that cannot end a run."""

import contextlib
import io
import os
from typing import Any, TextIO


class StreamFront(io.TextIOBase):
    """Text stream in front of another one; a subclass decides how text is written to it."""

    def __init__(self, stream: io.TextIOBase | TextIO | None):
        """Stand in front of `stream`; None where a process has none."""
        self._stream: io.TextIOBase | TextIO | None = stream

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        """Return the descriptor of the stream. Raises OSError where it has none."""
        if self._stream is None:
            raise OSError("the stream has no descriptor")
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return self._stream is not None and self._stream.isatty()
        return False

    def writable(self) -> bool:
        """Tell that the stream takes text."""
        return True


class ForgivingStream(StreamFront):
    """Text stream in front of another one, which never raises.

    Characters beyond the stream's encoding are escaped. Where the stream is closed, as in `logpi envs | head -n 1`, or
    its disk is full, text is dropped from then on; where there is no stream, all of it. Environments print, too: what
    they print must not end a training.
    """

    @property
    def buffer(self) -> Any:
        """The stream of bytes underneath."""
        return getattr(self._stream, "buffer", io.BytesIO())

    def write(self, text: str) -> int:
        """Write text, or drop what is not taken; returns its length."""
        with self._dropping():
            if self._stream is not None:
                encodable = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
                self._stream.write(encodable)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        with self._dropping():
            if self._stream is not None:
                self._stream.flush()

    @contextlib.contextmanager
    def _dropping(self) -> Any:
        """Drop the stream where it takes no more text; what it still holds goes nowhere when Python exits."""
        try:
            yield
        except (OSError, ValueError):
            stream, self._stream = self._stream, None
            with contextlib.suppress(OSError, ValueError, AttributeError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
                os.close(nowhere)
