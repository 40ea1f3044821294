"""Paths as users write them, made absolute at once: an environment may change the current directory."""

import os
from pathlib import Path
from typing import cast

from logpi.errors import LogpiError, shown


def read_path(name: str, given: object) -> Path:
    """Read the path of an argument: text, bytes or a path; returned absolute.

    - `name`: of the argument, for messages.

    Raises LogpiError for all else, for an empty path, and where the current directory is gone.
    """
    try:
        path = os.fsdecode(cast(str, given))
    except TypeError:
        raise LogpiError(f"{name} is {shown(given)}; allowed: a path, as text or a pathlib.Path") from None
    if not path.strip():
        raise LogpiError(f"{name} is empty; allowed: a path")
    try:
        return Path(path).absolute()
    except OSError as error:
        raise LogpiError(f"{name} is {shown(path)}, and there is no current directory: {error.strerror}") from None
