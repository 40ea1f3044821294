"""Environments that leave badly: `sys.exit`, and a `close` that raises."""

import sys

import gymnasium
import numpy as np
import pytest

from logpi.cli import main as cli
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.source import is_constructible
from logpi.errors import EnvironmentFailed


class Quits(gymnasium.Wrapper):
    """CartPole that ends the process in its third step, and raises when it is closed."""

    steps = 0

    def step(self, action):
        self.steps += 1
        if self.steps == 3:
            sys.exit(0)
        return self.env.step(action)

    def close(self):
        raise RuntimeError("no display")


def make_quits():
    return Quits(gymnasium.make("CartPole-v1"))


def played(copies, steps):
    copies.reset(0)
    for _ in range(steps):
        last = copies.step(np.zeros(2, np.int32), np.zeros(2, bool))
    return last


def test_an_exit_is_a_failure_of_the_environment():
    with pytest.raises(EnvironmentFailed, match="environment 0 of Quits raised SystemExit: 0; at step 3"):
        played(Gymnasium(make_quits, 2, "Quits"), 3)


def test_an_environment_that_exits_can_be_made_again():
    copies = Gymnasium(make_quits, 2, "Quits")
    copies.restarts = 2
    assert played(copies, 3).valid.tolist() == [False, False] and copies.restarted == 2


def test_a_close_that_raises_is_a_warning():
    copies = Gymnasium(make_quits, 2, "Quits")
    copies.reset(0)
    with pytest.warns(UserWarning, match="environment Quits: its close raised RuntimeError: no display") as said:
        copies.close()
    assert len(said) == 2  # both were closed


def test_an_exit_that_nothing_else_noticed_is_status_5(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, "algorithms", lambda: sys.exit(0))
    assert cli.main(["algorithms"]) == 5
    assert "an environment called sys.exit(0)" in capsys.readouterr().err


class Callable(Quits):
    """An environment that can be called is an environment, and no factory."""

    def __call__(self):
        raise AssertionError


def test_an_environment_that_can_be_called_is_the_callers_own():
    assert not is_constructible(Callable(gymnasium.make("CartPole-v1")))
    assert is_constructible(make_quits) and is_constructible(Callable) and is_constructible("CartPole-v1")
