"""The lock of a run directory: held by the process that trains, released by the system when that process ends."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from logpi.errors import LogpiError
from logpi.runs.files import APPEND, open_file, read_json


@contextmanager
def lock_run(directory: Path) -> Iterator[None]:
    """Hold the lock of a run directory. Raises LogpiError, naming process and host, where another process holds it."""
    lock = filelock.FileLock(directory / "lock")
    try:
        _check_file(directory / "lock")
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise LogpiError(f"{directory} is being trained by {_owner(directory)}; wait for it, or end it") from None
    except OSError as error:
        raise LogpiError(f"cannot write to {directory}: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


def this_process() -> dict[str, str | int]:
    """Describe this process for run.json, so that a message can name the holder of the lock."""
    return {"pid": os.getpid(), "host": platform.node()}


def _check_file(path: Path) -> None:
    """Raise LogpiError unless a file is the directory's own: a lock is opened for writing, and may be emptied."""
    descriptor = open_file(path, APPEND)
    try:
        names = os.fstat(descriptor).st_nlink
    finally:
        os.close(descriptor)
    if names > 1:
        raise LogpiError(f"{path} is a file with {names} names, and may belong to something else; remove it")


def _owner(directory: Path) -> str:
    try:
        process = read_json(directory / "run.json")["process"]
        return f"process {process['pid']} on {process['host']}"
    except (LogpiError, KeyError, TypeError):
        return "another process"
