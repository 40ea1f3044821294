"""The checkpoints of a run: the most recent ones, and the one with the best evaluation."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from logpi.errors import LogpiError, NoCheckpoint
from logpi.runs import checkpoint
from logpi.runs.checkpoint import Checkpoint
from logpi.runs.files import check_directory
from logpi.runs.schema import Field, check_fields, count

LAST, BEST = "iteration", "best"
RETENTION = {LAST: 3, BEST: 1}  # checkpoints of each kind that are kept
NAME = re.compile(rf"({LAST}|{BEST})-(?P<iteration>[0-9]{{9}})(?P<half>\.(new|old)-[0-9a-f]+)?")


def save(directory: Path, kind: str, iteration: int, tree: PyTree, **facts: object) -> None:
    """Save a checkpoint of an iteration, of kind `LAST` or `BEST`, and remove the oldest beyond `RETENTION`."""
    checkpoint.save(directory / f"{kind}-{iteration:09d}", tree, iteration=iteration, **facts)
    for old in list_checkpoints(directory, kind)[RETENTION[kind] :]:
        checkpoint.remove(old)


def list_checkpoints(directory: Path, kind: str) -> list[Path]:
    """List the checkpoints of a kind, newest first, without what a killed process left half written or removed."""
    complete = re.compile(rf"{kind}-[0-9]{{9}}")
    return sorted((path for path in _content(directory) if complete.fullmatch(path.name)), reverse=True)


def newest(directory: Path, kind: str = LAST, say: Callable[[str], Any] = warnings.warn) -> Checkpoint:
    """Return the newest checkpoint of a kind that can be read; `say` is called with a line for each newer one.

    Raises NoCheckpoint where none can be read, naming the fault of each.
    """
    faults = []
    for path in list_checkpoints(directory, kind):
        try:
            found = checkpoint.read(path)
            check_fields(found.metadata, {"iteration": _number_of(path)}, str(path / checkpoint.MANIFEST))
        except LogpiError as error:
            faults.append(str(error))
        else:
            for fault in faults:
                say(f"{fault}; going back to {path.name}")
            return found
    raise NoCheckpoint(f"no checkpoint in {directory} can be read: {'; '.join(faults) or 'there is none'}")


def remove_stale(directory: Path, after: int) -> None:
    """Remove checkpoints that a killed run left half written, and those of iterations after `after`, to be repeated."""
    for path in _content(directory):
        name = NAME.fullmatch(path.name)
        if name is not None and (name["half"] or int(name["iteration"]) > after):
            checkpoint.remove(path)


def _content(directory: Path) -> list[Path]:
    """List what is in a directory of checkpoints. Raises LogpiError for a link, or what is no directory."""
    check_directory(directory)
    return list(directory.iterdir()) if directory.is_dir() else []


def _number_of(path: Path) -> Field:
    """Return the field of the iteration that a checkpoint's name says."""
    iteration = int(path.name.rpartition("-")[2])
    return count(iteration, iteration)
