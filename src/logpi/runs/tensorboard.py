"""TensorBoard events of a run.

Events are written by this process as they come, as a whole or not at all: a thread with a queue in front of it, as
tensorboardX has one, blocks the training for ever once its disk is full or the clock is set back.
"""

import math
import os
import platform
import re
import secrets
import struct
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from logpi.runs.files import APPEND, CREATE, append_whole, open_file

Record = dict[str, Any]
NOT_IN_TAGS = re.compile(r"[^-/\w.]")


class EventFile:
    """File of TensorBoard events: a record's numbers at most every `every` seconds, and those of every evaluation."""

    def __init__(self, directory: Path, steps: int = 0, every: float = 0.5):
        """Create nothing yet.

        - `steps`: events beyond so many steps, written by a process that was killed, are purged by readers: their
          iterations are repeated.
        """
        stamp = f"{max(int(time.time()), 0):010d}.{platform.node() or 'host'}.{secrets.token_hex(4)}"
        self._path = directory / f"events.out.tfevents.{stamp.replace('/', '-')}"
        self._steps, self._every, self._last = steps, every, -math.inf
        self._written = 0  # bytes

    def write(self, record: Record) -> None:
        """Write the finite numbers of a record, if they are due. Raises OSError where that is not possible."""
        now = time.monotonic()
        if now - self._last < self._every and "eval_return_mean" not in record:
            return
        self._last = now
        head = b"" if self._written else _head(self._steps)
        self._append(head + _scalars(record))

    def _append(self, data: bytes) -> None:
        """Append the data as a whole or not at all, and leave no empty file."""
        descriptor = open_file(self._path, APPEND if self._written else CREATE)
        try:
            self._written = append_whole(descriptor, data, self._written)
        except OSError:
            if not self._written:
                self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)


def _head(steps: int) -> bytes:
    """Return the events that begin a file: its version, and the step from which on earlier events do not count."""
    event_pb2, _ = _messages()
    version = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
    if not steps:
        return _framed(version)
    log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    return _framed(version) + _framed(event_pb2.Event(wall_time=time.time(), step=steps + 1, session_log=log))


def _scalars(record: Record) -> bytes:
    """Return one event with the finite numbers of a record."""
    event_pb2, summary_pb2 = _messages()
    numbers = {name: x for name, x in record.items() if isinstance(x, int | float) and math.isfinite(x)}
    values = [summary_pb2.Summary.Value(tag=NOT_IN_TAGS.sub("_", name), simple_value=x) for name, x in numbers.items()]
    return _framed(
        event_pb2.Event(wall_time=time.time(), step=record["steps"], summary=summary_pb2.Summary(value=values))
    )


def _messages() -> tuple[ModuleType, ModuleType]:
    """Return the modules of TensorBoard's messages, whose classes are made when they are imported."""
    from tensorboardX.proto import event_pb2, summary_pb2

    return event_pb2, summary_pb2


def _framed(event: Any) -> bytes:
    """Return an event as a record of an event file: length, checksum, data, checksum."""
    from tensorboardX.record_writer import masked_crc32c

    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
