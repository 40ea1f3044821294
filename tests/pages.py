"""The code on a page of the documentation, run as a reader would type it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from logpi.cli.main import main

BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
BUDGET = re.compile(r"(?<=\bsteps=)[\d_]+|(?<=--steps )[\d_]+")
SEEDS = re.compile(r"(?<=^seeds = range\()\d+", re.MULTILINE)
SHARE = 20


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """(language, code) of every block that a reader types; what is only shown is fenced as text."""
    return ((match[1], match[2]) for match in BLOCK.finditer(page.read_text()))


def tiny(code: str) -> str:
    """The code with a twentieth of its steps and one seed: all in which a test does not do what a reader does."""
    return SEEDS.sub("1", BUDGET.sub(lambda steps: str(int(steps[0]) // SHARE), code))


def run(page: Path, shorten: Any = tiny) -> dict[str, Any]:
    """Run a page in the directory one is in: Python in one namespace, `logpi …` by the command line.

    A block that begins with the name of a file, as in `# boat.py`, is saved in it, not run.
    """
    names: dict[str, Any] = {"__name__": page.stem}
    for language, code in blocks(page):
        code = shorten(code)
        if file := FILE.match(code):
            Path(file[1]).write_text(code)
        elif language == "python":
            exec(compile(code, str(page), "exec"), names)
        else:
            _type(code)
    return names


def _type(code: str) -> None:
    for line in code.splitlines():
        command, *words = shlex.split(line, comments=True)
        assert command == "logpi", f"{line}: only logpi's own commands are typed on a page"
        assert main(words) == 0, line
