"""Modules that a user names: what they raise is said in one line, with their own error."""

import sys

import pytest

from logpi.environments import registry
from logpi.errors import LogpiError

BODIES = {
    "import numpy\nkind = numpy.bool8": ("AttributeError: module 'numpy' has no attribute 'bool8'", "line 2"),
    "raise KeyError('maze')": ("KeyError: 'maze'", "line 1"),
    "def f(:": ("SyntaxError", "line 1"),
    "import sys; sys.exit(0)": ("SystemExit: 0", "line 1"),
    "import a_package_that_is_missing": ("No module named 'a_package_that_is_missing'", "line 1"),
    "x = 1": ("has no make", "broken"),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", ["broken:make", "broken:Maze-v0"])
def test_a_module_is_named_with_its_own_error(body, name, tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("broken", None)
    expected = BODIES[body] if name == "broken:make" or body != "x = 1" else ("unknown environment", "Maze")
    with pytest.raises(LogpiError) as refused:
        registry.make(name, 1)
    assert all(part in str(refused.value) for part in expected)


NAMES = {
    "LunarLander-v3": "pip install 'logpi[box2d]'",
    "Hopper-v5": "pip install 'logpi[mujoco]'",
    "Hopper-v2": "Hopper-v5 instead",
    "phys2d/CartPole-v1": "pip install flax",
    "ALE/Nothing-v5": "did you mean atari:Nothing-v5",
    "./house.py": "house:make_env",
    "house.py:make": "house:make",
    "rooms/house:make": "house:make in the directory rooms",
    "envpol:Pong": "did you mean envpool:Pong?",
    "envpol:Pong-v5": "did you mean envpool:Pong-v5?",
    "CartPole": "did you mean CartPole-v1",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_made_is_answered_with_what_to_do(name, monkeypatch):
    monkeypatch.setattr("logpi.environments.adapters.gymnasium_packages.find_spec", lambda package: None)
    with pytest.raises(LogpiError) as refused:
        registry.make(name, 1)
    assert NAMES[name] in str(refused.value)


def test_ids_that_need_a_package_are_told_from_those_that_are_ready(monkeypatch):
    monkeypatch.setattr("logpi.environments.adapters.gymnasium_packages.find_spec", lambda package: None)
    needed = registry.missing()
    assert {"Ant-v5", "CarRacing-v3", "tabular/Blackjack-v0"} <= set(needed)
    assert not {"CartPole-v1", "Taxi-v4", "logpi:…"} & set(needed)
