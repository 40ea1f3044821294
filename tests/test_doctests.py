"""Every example in a docstring does what it says."""

import doctest
import importlib
import pkgutil

import pytest

import logpi

MODULES = [module.name for module in pkgutil.walk_packages(logpi.__path__, "logpi.") if "__main__" not in module.name]
FINDER = doctest.DocTestFinder(exclude_empty=True)
EXAMPLES = [
    example for name in MODULES for example in FINDER.find(importlib.import_module(name), name) if example.examples
]


def test_there_are_examples():
    assert len(EXAMPLES) >= 11


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name.removeprefix("logpi."))
def test_the_example_does_what_it_says(example):
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert result.attempted and not result.failed
