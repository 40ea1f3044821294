"""Whoever types what a tutorial says gets what it shows: the code of every page runs, first line to last."""

import signal
import sys

import pytest
from pages import blocks, run, tiny
from test_docs import DOCS

PAGES = sorted((DOCS / "tutorials").glob("*.md"))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty directory, and a Python that finds what is saved there; afterwards everything is as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    modules, handler = set(sys.modules), signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)
    for name in set(sys.modules) - modules:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def test_there_are_six():
    assert len(PAGES) == 6 and all(list(blocks(page)) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_runs_as_it_is_written(page, desk):
    run(page)


def test_only_budgets_are_shortened():
    assert tiny("train(steps=100_000, seed=20)\nlogpi train X --steps 40_000 --seed 7") == (
        "train(steps=5000, seed=20)\nlogpi train X --steps 2000 --seed 7"
    )
