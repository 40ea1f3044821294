"""The code of every tutorial runs from the first block to the last.

Running takes minutes of compiling, so `.ci/run` has a separate step for it; checks that need no run are always made.
"""

import re
import shlex
import signal
import sys

import jax
import pytest
from pages import blocks, run, tiny
from test_docs import DOCS

import logpi
from logpi.cli.parser import parse

PAGES = sorted((DOCS / "tutorials").glob("*.md"))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Change to an empty directory and make it importable; restore everything afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    modules, handler = set(sys.modules), signal.getsignal(signal.SIGTERM)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # JAX as a reader has it
        yield tmp_path
    signal.signal(signal.SIGTERM, handler)
    for name in set(sys.modules) - modules:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def test_there_are_seven():
    assert len(PAGES) == 7 and all(list(blocks(page)) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_and_option_on_it_exists(page):
    for language, code in blocks(page):
        if language == "python":
            compile(code, page.name, "exec")
            assert not [name for name in re.findall(r"(?<!from )\blogpi\.(\w+)", code) if not hasattr(logpi, name)]
        else:
            for line in code.splitlines():
                command, *words = shlex.split(line, comments=True)
                assert command == "logpi" and parse(words)


@pytest.mark.tutorial
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_runs_as_it_is_written(page, workspace):
    run(page)


def test_only_steps_and_seeds_are_fewer():
    written = "train(steps=100_000, seed=20)\nlogpi train X --steps 40_000 --seed 7\nseeds = range(5)\nx = range(5)"
    run = "train(steps=5000, seed=20)\nlogpi train X --steps 2000 --seed 7\nseeds = range(1)\nx = range(5)"
    assert tiny(written) == run
