"""Each preset is the composition that its page states."""

from pathlib import Path

import pytest
from pages import blocks

import logpi
from logpi.presets.registry import ALGORITHMS

METHODS = Path(__file__).parents[2] / "docs" / "methods.md"


@pytest.fixture(scope="module")
def compositions():
    """The algorithms that the code on the page of methods makes, by name."""
    names = {}
    for language, code in blocks(METHODS):
        assert language == "python"
        exec(code, names)
    return names


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_preset_is_the_composition_on_its_page(name, compositions):
    stated = compositions[name.replace("-", "_")]
    assert logpi.describe(ALGORITHMS[name]()) == logpi.describe(stated)


def test_a_description_tells_compositions_apart(compositions):
    """What the comparison above would have to see: another target, another weight, another objective."""
    described = {name: logpi.describe(algorithm) for name, algorithm in compositions.items() if name in NAMES}
    assert len(set(described.values())) == len(NAMES)
    weights = [logpi.step_weights, logpi.trajectory_weights, logpi.cumulative_weights, logpi.unit_weights]
    assert len({logpi.describe(each) for each in weights}) == len(weights)


NAMES = [name.replace("-", "_") for name in ALGORITHMS]


def test_a_recipe_prints_as_the_call_that_makes_it():
    assert repr(logpi.ppo(clip_range=0.1, num_envs=4)) == "ppo(clip_range=0.1, num_envs=4)"
    assert repr(logpi.ppo_kl()) == "ppo_kl()"
