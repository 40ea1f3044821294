"""The checkpoints of a run: the last few, and the best."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from logpi.errors import LogpiError, NoCheckpoint
from logpi.runs import checkpoint
from logpi.runs.checkpoint import Checkpoint

LAST, BEST = "iteration", "best"
RETENTION = {LAST: 3, BEST: 1}


def save(directory: Path, kind: str, iteration: int, tree: PyTree, **facts: Any) -> None:
    """Save a checkpoint of an iteration, `LAST` or `BEST`; then older ones than the last few are removed."""
    checkpoint.save(directory / f"{kind}-{iteration:09d}", tree, iteration=iteration, **facts)
    for old in list_checkpoints(directory, kind)[RETENTION[kind] :]:
        checkpoint.remove(old)


def list_checkpoints(directory: Path, kind: str) -> list[Path]:
    """All checkpoints of a kind, newest first. What was left half written or half removed is not among them."""
    whole = re.compile(rf"{kind}-\d{{9}}")
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted((path for path in found if whole.fullmatch(path.name)), reverse=True)


def newest(directory: Path, kind: str = LAST, say: Callable[[str], Any] = warnings.warn) -> Checkpoint:
    """The newest checkpoint of a kind that can be read; `say` is told of newer ones that cannot.

    Raises NoCheckpoint where none is left, naming what is wrong with each.
    """
    faults = []
    for path in list_checkpoints(directory, kind):
        try:
            found = checkpoint.read(path)
        except LogpiError as error:
            faults.append(str(error))
        else:
            for fault in faults:
                say(f"{fault}; going back to {path.name}")
            return found
    raise NoCheckpoint(f"no checkpoint in {directory} can be read: {'; '.join(faults) or 'there is none'}")


def remove_stale(directory: Path, after: int) -> None:
    """Remove what a killed run left half written, and checkpoints of iterations that will be made again."""
    for path in directory.iterdir() if directory.is_dir() else ():
        name, _, number = path.name.rpartition("-")
        half = ".new-" in path.name or ".old-" in path.name
        if half or (name in RETENTION and number.isdigit() and int(number) > after):
            checkpoint.remove(path)
