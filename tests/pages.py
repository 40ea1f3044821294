"""Execution of the code blocks of a documentation page, as a reader would type them."""

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
    """Yield (language, code) of every block that a reader types; blocks fenced as `text` are only shown."""
    return ((match[1], match[2]) for match in BLOCK.finditer(page.read_text()))


def tiny(code: str) -> str:
    """Shorten the code to a twentieth of its steps and one seed; everything else runs as written."""
    return SEEDS.sub("1", BUDGET.sub(lambda steps: str(int(steps[0]) // SHARE), code))


def run(page: Path, shorten: Any = tiny) -> dict[str, Any]:
    """Run a page in the current directory: Python blocks in one namespace, `logpi …` through the command line.

    A block that begins with a file name, as in `# boat.py`, is saved to that file instead of being run.
    """
    names: dict[str, Any] = {"__name__": page.stem}
    for language, code in blocks(page):
        code = shorten(code)
        if file := FILE.match(code):
            Path(file[1]).write_text(code)
        elif language == "python":
            exec(compile(code, str(page), "exec"), names)
        else:
            _run_commands(code)
    return names


def _run_commands(code: str) -> None:
    for line in code.splitlines():
        command, *words = shlex.split(line, comments=True)
        assert command == "logpi", f"{line}: only logpi's own commands are typed on a page"
        assert main(words) == 0, line
