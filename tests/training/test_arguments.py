"""Arguments of a run as users give them: read by one entrance, for Python and for the command line."""

import json

import numpy as np
import pytest
from small_runs import TINY

import logpi
from logpi.algorithms.protocol import Algorithm
from logpi.presets.recipe import Recipe
from logpi.runs.recorder import _is_true
from logpi.training.arguments import read_algorithm, read_budget, read_callbacks, read_recipe, read_seeds

ALGORITHM = logpi.PolicyGradient(
    logpi.GAE(0.9, 0.9), logpi.score, logpi.Ascent(logpi.adam, 1e-3), collect=logpi.Steps(8)
)


def test_amounts_are_read_as_python_numbers():
    budget = read_budget(np.int64(100), np.uint8(3), np.float32(0.5))
    assert json.dumps([budget.steps, budget.evaluations, budget.checkpoint_seconds]) == "[100, 3, 0.5]"
    assert read_budget("1k", "0", "2").steps == 1000 and read_budget(None, 5, 30).steps is None


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        ((True, 5, 30), "steps is True"),
        ((0, 5, 30), "steps is 0"),
        ((1.5, 5, 30), "steps is 1.5"),
        ((100, -1, 30), "evaluations is -1"),
        ((100, 5, float("nan")), "checkpoint_seconds is nan"),
        ((100, 5, "soon"), "checkpoint_seconds is soon"),
        ((100, 5, None), "checkpoint_seconds is None"),
    ],
)
def test_amounts_that_no_run_can_have(amounts, said):
    with pytest.raises(logpi.LogpiError, match=said):
        read_budget(*amounts)


def test_an_algorithm_is_named_called_or_composed():
    assert [read_algorithm(x).name for x in (None, "ppo", "PPO", logpi.ppo, logpi.ppo())] == ["ppo"] * 5
    assert isinstance(read_recipe("a2c"), Recipe) and isinstance(read_algorithm(ALGORITHM), Algorithm)


@pytest.mark.parametrize("given", [3, {}, logpi.PolicyGradient, print])
def test_what_is_no_algorithm(given):
    with pytest.raises(logpi.LogpiError, match=r"algorithm is .*; allowed: a recipe such as logpi.ppo\(\)"):
        read_algorithm(given)


def test_one_callback_or_many():
    assert read_callbacks(print) == read_callbacks([print]) == (print,)
    assert read_callbacks(None) == read_callbacks(()) == ()
    for given in (3, [print, 3], "print"):
        with pytest.raises(logpi.LogpiError, match="allowed: a function of a record"):
            read_callbacks(given)


def test_seeds_are_a_number_or_a_list():
    assert read_seeds(3) == read_seeds(np.int64(3)) == read_seeds(range(3)) == read_seeds(np.arange(3)) == [0, 1, 2]
    assert read_seeds([2**64, np.int32(1)]) == [2**64, 1]
    for given in (0, -1, [1, -1], "x", None):
        with pytest.raises(logpi.LogpiError, match=r"seeds? is"):
            read_seeds(given)


@pytest.mark.parametrize("answer", [True, np.True_, np.array(True)])
def test_an_answer_that_ends_a_run(answer):
    assert _is_true(answer)


@pytest.mark.parametrize("answer", [False, None, 1, "yes", np.False_, np.int64(1), [True]])
def test_an_answer_that_does_not(answer):
    assert not _is_true(answer)


def test_a_run_from_numpy_values_is_the_run_from_python_values(tmp_path, monkeypatch, capsys):
    """And an environment that changes directory does not move its files."""
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def wandering():
        monkeypatch.chdir(elsewhere)
        return logpi.make("CartPole-v1", 1)._envs[0].unwrapped

    stopped = []
    run = logpi.train(
        wandering,
        logpi.ppo(**TINY),
        steps=np.int64(1000),
        seed=np.int64(2**40),
        evaluations=np.uint8(0),
        workers=np.int64(0),
        out=b"here",
        callbacks=lambda row: stopped.append(row) or np.True_,
    )
    config = json.loads((tmp_path / "here" / "run.json").read_text())
    assert (config["seed"], config["steps"], config["status"]) == (2**40, 1000, "stopped")
    assert len(stopped) == len(run.metrics) == 1 and not list(elsewhere.iterdir())
    assert len(repr(run)) < 300 and repr(run).startswith(f"Run({str(tmp_path / 'here')!r}, steps=64")
    said = capsys.readouterr().err
    assert f"seed {2**40}: 1,000 steps, learning on cpu, 4 environments in this process; compiling" in said
    assert "tuned" not in said  # for a factory nothing is
