"""A run directory: run.json, metrics.jsonl, summary.json, checkpoints/, curve.png, TensorBoard events."""

import contextlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from logpi.errors import LogpiError
from logpi.runs.files import (
    APPEND,
    append_whole,
    check_directory,
    finite,
    open_file,
    read_bytes,
    replace_file,
    write_json,
)
from logpi.runs.lock import lock_run, this_process


class RunDirectory:
    """Writer of a run's files; each row of metrics is on disk when `row` returns.

    A file that cannot be written does not end the training: one message is shown, and `failures` counts.
    """

    def __init__(self, path: Path, configuration: dict[str, Any], say: Callable[[str], Any], kept: int = 0):
        """Write run.json and open metrics.jsonl for rows after its first `kept` bytes; the rest is cut off.

        - `say`: called with a line if a file cannot be written.

        Raises LogpiError for a new run whose run.json or metrics.jsonl cannot be written: nothing is trained yet, and
        without them no run could be read.
        """
        self.path, self.failures, self._say = path, 0, say
        self._configuration = configuration | {"process": this_process()}
        make_checkpoints_directory(path)
        try:
            self._metrics, self.written = _open_metrics(path / "metrics.jsonl", kept)
            if not (path / "run.json").exists():
                self._write_status("running")
        except OSError as error:
            raise LogpiError(f"cannot write to {path}: {error.strerror or error}") from None
        if self.written < kept:
            say(f"{path / 'metrics.jsonl'} has lost {kept - self.written} bytes of rows; training goes on without them")
        self.status("running")

    def status(self, status: str) -> None:
        """Write run.json with a status: running, done, stopped, interrupted or failed."""
        self.attempt("run.json", lambda: self._write_status(status))

    def row(self, record: dict[str, Any]) -> None:
        """Append one iteration's metrics to metrics.jsonl."""
        self.attempt("metrics.jsonl", lambda: self._append(json.dumps(finite(record)).encode() + b"\n"))

    def summary(self, figures: dict[str, Any]) -> None:
        """Write summary.json."""
        self.attempt("summary.json", lambda: write_json(self.path / "summary.json", figures))

    def settle(self) -> int:
        """Force the rows to disk; return their size in bytes."""
        self.attempt("metrics.jsonl", lambda: os.fsync(self._metrics))
        return self.written

    def attempt(self, name: str, write: Callable[[], Any]) -> bool:
        """Write one of the files; return True if that succeeded."""
        try:
            write()
        except OSError as error:
            self.failures += 1
            if self.failures == 1:
                self._say(f"cannot write {name} in {self.path}: {error.strerror or error}; training goes on")
            return False
        return True

    def close(self) -> None:
        """Close the metrics, and say how many writes failed, if more than the first did."""
        with contextlib.suppress(OSError):
            os.close(self._metrics)
        if self.failures > 1:
            self._say(f"{self.failures} writes to {self.path} failed: rows or checkpoints may be missing there")

    def _write_status(self, status: str) -> None:
        write_json(self.path / "run.json", self._configuration | {"status": status})

    def _append(self, line: bytes) -> None:
        self.written = append_whole(self._metrics, line, self.written)


@contextmanager
def new_run_directory(path: Path) -> Iterator[None]:
    """Create the directory of a new run and hold its lock.

    Raises LogpiError for a directory that holds a run or a part of one: the new run would delete its checkpoints and
    cut off its metrics, or its own would be taken for older ones.
    """
    make_checkpoints_directory(path)
    with lock_run(path):
        if os.path.lexists(path / "run.json"):
            raise LogpiError(f"{path} already holds a run: continue it with logpi resume {path}, or give another --out")
        if remains := _remains_of_a_run(path):
            raise LogpiError(
                f"{path} holds {remains} of another run, whose run.json is missing; give another --out, or remove them"
            )
        yield


def make_checkpoints_directory(path: Path) -> None:
    """Create `checkpoints` in a run directory, and the run directory. Raises LogpiError where that is not possible."""
    check_directory(path / "checkpoints")
    try:
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogpiError(f"cannot write to {path}: {error.strerror}") from None
    except ValueError:  # a null character
        raise LogpiError(f"{str(path)!r} is no path") from None


def _remains_of_a_run(path: Path) -> str:
    """Name what a directory holds of a run, besides the lock; empty if there is nothing."""
    if any((path / "checkpoints").iterdir()):
        return "checkpoints"
    for name in ("metrics.jsonl", "summary.json"):
        file = path / name
        if file.is_symlink() or (file.exists() and (not file.is_file() or file.stat().st_size)):
            return name
    return ""


def _open_metrics(path: Path, kept: int) -> tuple[int, int]:
    """Open metrics.jsonl to append after its first `kept` bytes: (descriptor, bytes it has then).

    The bytes that stay end with a whole line. A file that has other names, too, is replaced by a copy: what the others
    stand for is not changed.
    """
    descriptor = open_file(path, APPEND)
    before = os.fstat(descriptor)
    data = read_bytes(path)[:kept]
    size = data.rfind(b"\n") + 1
    if before.st_nlink > 1:
        os.close(descriptor)
        replace_file(path, data[:size])
        return open_file(path, APPEND), size
    if before.st_size > size:
        os.ftruncate(descriptor, size)
    return descriptor, size


def default_path(environment: str, algorithm: str, seed: int | str) -> Path:
    """Return runs/ENV/ALGORITHM-SEED-TIME, and a number behind it where a run of the same second has that name."""
    place = Path("runs") / environment.replace("/", "-").replace(":", "-")
    name = f"{algorithm}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
    return next(place / name for name in names if not os.path.lexists(place / name))
