"""Reading and writing of the files of a run.

A run directory may come from anyone, and what lies in it need not be what its name says. Files are opened without
following links, and only regular files are opened at all: a link leads out of the directory, a FIFO or a device never
ends. A file is replaced by a new one, written beside it under a name that nobody can foresee, and renamed.
"""

import contextlib
import errno
import json
import math
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from logpi.core.schedules import LinearSchedule
from logpi.errors import LogpiError
from logpi.runs.migrations import migrate_row
from logpi.runs.schema import is_number

MOST_RUNS_NAMED = 5
LARGEST_JSON = 2**26  # bytes of one JSON file
DEEPEST_JSON = 64  # levels of lists and objects in each other
READ = os.O_RDONLY
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
# Systems without a flag need none: Windows knows no FIFOs in directories, and Path.is_symlink tells links there.
_SAFE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))


def open_file(path: Path, flags: int) -> int:
    """Open a regular file, `READ`, `APPEND` or `CREATE`; returns its descriptor.

    Raises LogpiError for a link and for anything else that is no regular file; OSError as `os.open` does.
    """
    if path.is_symlink():
        _refuse_link(path)
    try:
        descriptor = os.open(path, flags | _SAFE, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            _refuse_link(path)
        if error.errno in (errno.ENXIO, errno.EISDIR):  # a FIFO that nobody reads or a socket; a directory
            _refuse_kind(path)
        raise
    except ValueError:  # a null character
        raise LogpiError(f"{str(path)!r} is no path") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        _refuse_kind(path)
    return descriptor


def check_directory(path: Path) -> None:
    """Raise LogpiError where there is something else than a directory, or a link to one; nothing at all is allowed."""
    if path.is_symlink():
        _refuse_link(path)
    if path.exists() and not path.is_dir():
        raise LogpiError(f"{path} is no directory")


def read_bytes(path: Path, largest: int | None = None) -> bytes:
    """Read a regular file of at most `largest` bytes. Raises LogpiError for anything else; OSError as `os.open`."""
    with open(open_file(path, READ), "rb") as file:
        if largest is not None and (size := os.fstat(file.fileno()).st_size) > largest:
            raise LogpiError(f"{path} has {size} bytes; allowed: {largest} at most")
        try:
            return file.read()
        except MemoryError:
            raise LogpiError(f"{path} is larger than the memory") from None


def replace_file(path: Path, data: bytes) -> None:
    """Write a file as a whole: a new file beside it, forced to disk, is renamed over it.

    Raises OSError where that is not possible; the old file is then untouched. A link of that name is replaced, and
    what it leads to stays as it is.
    """
    fresh = temporary_name(path, "new")
    try:
        write_new_file(fresh, data)
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def write_new_file(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet, and force it to disk."""
    with open(open_file(path, CREATE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def append_whole(descriptor: int, data: bytes, size: int) -> int:
    """Append data to an open file of `size` bytes, all of it or none; returns the new size.

    Raises OSError where the data does not fit: the file then has its old size. Readers stop at a line or an event that
    is not whole.
    """
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    return size + len(data)


def temporary_name(path: Path, kind: str) -> Path:
    """Return a path beside this one, of a kind (new, old), that nobody can foresee: NAME.KIND-RANDOM."""
    return path.with_name(f"{path.name}.{kind}-{secrets.token_hex(8)}")


def parse_object(data: bytes, path: Path) -> dict[str, Any]:
    """Parse a JSON object: finite numbers, text that can be encoded, no name twice, at most `DEEPEST_JSON` levels.

    - `path`: of the file, for messages.

    Raises LogpiError for anything else.
    """
    try:
        value = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates)
        _check(value, DEEPEST_JSON)
    except (ValueError, RecursionError) as error:
        raise LogpiError(f"{path} is not readable: {error}") from None
    if not isinstance(value, dict):
        raise LogpiError(f"{path} is not readable: it is no JSON object")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of a run. Raises LogpiError where the file is missing or broken."""
    try:
        data = read_bytes(path, LARGEST_JSON)
    except (FileNotFoundError, NotADirectoryError):
        raise LogpiError(f"{path.parent} holds no run: {path.name} is missing{_runs_below(path)}") from None
    except OSError as error:
        raise LogpiError(f"{path} cannot be read: {error.strerror}") from None
    return parse_object(data, path)


def _runs_below(path: Path) -> str:
    """Name the newest runs in the directories below the one of this file; "" if there are none."""
    found: list[tuple[float, Path]] = []
    for pattern in ("*", "*/*"):
        for run in path.parent.glob(f"{pattern}/{path.name}"):
            with contextlib.suppress(OSError):
                found.append((run.lstat().st_mtime, run.parent))
    names = [str(run) for _, run in sorted(found, reverse=True)[:MOST_RUNS_NAMED]]
    return f"; runs below it, the newest first: {', '.join(names)}" if names else ""


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the rows of metrics.jsonl, under today's column names; an incomplete last line is left out.

    Raises LogpiError, naming the line, where a complete line is no row: an object of numbers and nulls.
    """
    try:
        lines = read_bytes(path).split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LogpiError(f"{path} cannot be read: {error.strerror}") from None
    return [migrate_row(_row(line, f"{path}, line {number},")) for number, line in enumerate(lines, start=1)]


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file as a whole. Raises OSError where that is not possible; the old file is then untouched."""
    replace_file(path, json.dumps(finite(value), indent=1).encode() + b"\n")


def finite(values: Mapping[str, object]) -> dict[str, Any]:
    """Convert values to those that JSON has: null for a number that is not finite, "start:end" for a schedule."""
    return {name: _finite(x) for name, x in values.items()}


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return finite(value)
    if isinstance(value, list | tuple):
        return [_finite(x) for x in value]
    if isinstance(value, LinearSchedule):
        return f"{value.start}:{value.end}"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _row(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise LogpiError(f"{place} is damaged: it is no JSON object; without that line the rest can be read") from None
    if not isinstance(row, dict):
        raise LogpiError(f"{place} is damaged: it is no JSON object; without that line the rest can be read")
    for name, value in row.items():
        if value is not None and not is_number(value):
            raise LogpiError(f"{place} is damaged: {name!r} is no number; without that line the rest can be read")
    if not isinstance(row.get("steps"), int):
        raise LogpiError(f"{place} is damaged: it has no steps; without that line the rest can be read")
    return row


def _check(value: object, levels: int) -> None:
    """Raise ValueError for a number that is not finite, text with lone surrogates, and more than `levels` levels."""
    if levels == 0:
        raise ValueError(f"it is nested more than {DEEPEST_JSON} levels deep")
    if isinstance(value, dict):
        for name, inner in value.items():
            name.encode()
            _check(inner, levels - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, levels - 1)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds a number that is not finite")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _refuse_link(path: Path) -> NoReturn:
    raise LogpiError(f"{path} is a link: a run directory holds its own files; put a copy in its place, or remove it")


def _refuse_kind(path: Path) -> NoReturn:
    raise LogpiError(f"{path} is no regular file; remove it")
