"""A run directory: run.json, metrics.jsonl, summary.json, checkpoints/, curve.png, TensorBoard events."""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from logpi.errors import LogpiError
from logpi.runs.files import finite, write_json
from logpi.runs.lock import lock_run, this_process


class RunDirectory:
    """Writer of a run's files; each row of metrics is on disk when `row` returns.

    A file that cannot be written does not end the training: one message is shown, and `failures` counts.
    """

    def __init__(self, path: Path, configuration: dict[str, Any], say: Callable[[str], Any], kept: int = 0):
        """Write run.json and open metrics.jsonl for rows after its first `kept` bytes; the rest is cut off.

        - `say`: called with a line if a file cannot be written.
        """
        self.path, self.failures, self._say = path, 0, say
        self._configuration = configuration | {"process": this_process()}
        self._metrics = (path / "metrics.jsonl").open("ab", buffering=0)
        size = (path / "metrics.jsonl").stat().st_size
        self.written = min(kept, size)
        if size > kept:
            self._metrics.truncate(kept)
        self.status("running")

    def status(self, status: str) -> None:
        """Write run.json with a status: running, done, stopped, interrupted or failed."""
        self.attempt("run.json", lambda: write_json(self.path / "run.json", self._configuration | {"status": status}))

    def row(self, record: dict[str, Any]) -> None:
        """Append one iteration's metrics to metrics.jsonl."""
        self.attempt("metrics.jsonl", lambda: self._append(json.dumps(finite(record)).encode() + b"\n"))

    def summary(self, figures: dict[str, Any]) -> None:
        """Write summary.json."""
        self.attempt("summary.json", lambda: write_json(self.path / "summary.json", figures))

    def settle(self) -> int:
        """Force the rows to disk; return their size in bytes."""
        self.attempt("metrics.jsonl", lambda: os.fsync(self._metrics.fileno()))
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
        """Close the metrics."""
        self._metrics.close()

    def _append(self, line: bytes) -> None:
        """Append the whole line or none of it: readers stop at the first line that is incomplete."""
        try:
            if self._metrics.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._metrics.truncate(self.written)
            raise
        self.written += len(line)


@contextmanager
def new_run_directory(path: Path) -> Iterator[None]:
    """Create the directory of a new run and hold its lock. Raises LogpiError for a directory that holds a run."""
    try:
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogpiError(f"cannot write to {path}: {error.strerror}") from None
    with lock_run(path):
        if (path / "run.json").exists():
            raise LogpiError(f"{path} already holds a run: continue it with logpi resume {path}, or give another --out")
        yield


def default_path(environment: str, algorithm: str, seed: int | str) -> Path:
    """Return runs/ENV/ALGORITHM-SEED-TIME."""
    place = environment.replace("/", "-").replace(":", "-")
    return Path("runs") / place / f"{algorithm}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
