"""Environments of other libraries, by name. A library is imported when it is asked for, not before."""

import difflib
import importlib
import sys
from contextlib import redirect_stdout
from importlib import metadata
from typing import Any

from logpi.errors import LogpiError

KINDS = ("gymnax", "brax", "playground", "envpool")  # the extras' names, and those of what they install


def check(name: str) -> None:
    """Raise LogpiError, in one line, unless the library that `name` begins with is installed and has the task."""
    kind, _, task = name.partition(":")
    version = _version(kind)
    if version is None:
        raise LogpiError(f"{name} needs the extra {kind}: pip install 'logpi[{kind}]'")
    if kind == "gymnax" and version.startswith("0."):
        raise LogpiError(
            f"{name} needs gymnax ≥ 1.0.1, which tells ends from time limits, and finds {version}:"
            " pip install 'logpi[gymnax]'"
        )
    there = names(kind)
    if task not in there:
        near = difflib.get_close_matches(task, there, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(f'{kind}:{x}' for x in near)}?" if near else "`logpi envs` lists them"
        raise LogpiError(f"unknown environment {name}; {hint}")


def names(kind: str) -> list[str]:
    """The tasks that a library has, by its own names. Raises LogpiError where it cannot be imported."""
    try:
        with redirect_stdout(sys.stderr):  # standard output is for answers
            return _adapter(kind).names()
    except (ImportError, AttributeError) as error:
        what = " ".join(str(error).split())
        raise LogpiError(f"{kind} cannot be imported ({what}): pip install 'logpi[{kind}]'") from None


def installed() -> list[str]:
    """`library:task` for every task of every library that is installed."""
    return [f"{kind}:{task}" for kind in KINDS if _version(kind) for task in names(kind)]


def load(name: str) -> Any:
    """One environment of a library written in JAX, its dynamics alone, with its own `time_limit`."""
    kind, _, task = name.partition(":")
    with redirect_stdout(sys.stderr):
        return _adapter(kind).load(task)


def _version(kind: str) -> str | None:
    try:
        return metadata.version(kind)
    except metadata.PackageNotFoundError:
        return None


def _adapter(kind: str) -> Any:
    return importlib.import_module(f"logpi.environments.adapters.{kind}")
