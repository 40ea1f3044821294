"""Many runs as one program: each is the run it would be on its own."""

import functools
from pathlib import Path

import jax
import numpy as np
import pytest
from small_runs import TINY, fingerprint

import logpi
from logpi.core.schedules import LinearSchedule
from logpi.loop import vectorized
from logpi.loop.vectorized import StackedHyperparameters
from logpi.runs.files import read_json, read_metrics
from logpi.training.grid import grid_points

TASK = "logpi:CartPole-v1"
QUIET = {"steps": 2 * 64}


def arrays(run):
    return [np.asarray(x) for x in jax.tree.leaves((run.policy, run.critic)) if hasattr(x, "dtype")]


def alone(out, seed, **options):
    return logpi.train(TASK, logpi.ppo(**TINY, **options), seed=seed, evaluations=1, out=out, **QUIET)


def almost_equal(run, other):
    for a, b in zip(arrays(run), arrays(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert [set(row) for row in run.metrics] == [set(row) for row in other.metrics]
    assert run.summary["steps"] == other.summary["steps"] == 128


RATES = {"good": [1e-3, 3e-3], "bad": [1e-3, 1e30]}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """name ↦ a sweep over two rates and two seeds; one of the bad rates makes every number infinite."""
    out = tmp_path_factory.mktemp("sweeps")
    sweep = lambda name, rates: logpi.sweep(
        TASK, logpi.ppo(**TINY), {"learning_rate": rates}, seeds=[3, 5], out=out / name, **QUIET
    )
    return functools.cache(lambda name: sweep(name, RATES[name]))


@pytest.mark.thorough
def test_a_row_for_each_point_and_seed(tables):
    points = [(row["learning_rate"], row["seed"]) for row in tables("good")]
    assert points == [(rate, seed) for rate in RATES["good"] for seed in (3, 5)]


@pytest.mark.thorough
def test_one_of_many_is_its_single_run_to_the_last_digits_and_goes_on_alone(tables, tmp_path):
    row = tables("good")[3]
    single = alone(tmp_path, 5, learning_rate=3e-3)
    one = logpi.load(row["directory"])
    almost_equal(single, one)
    assert row["eval_return_mean"] == one.metrics[-1]["eval_return_mean"]
    assert [row["steps"] for row in logpi.resume(row["directory"], steps=192).metrics] == [64, 128, 192]


def test_each_leaves_what_a_run_leaves(tables):
    prints = set()
    for row in tables("good")[:3]:
        place = Path(row["directory"])
        run, said = logpi.load(place), read_json(place / "run.json")
        assert (said["seed"], said["settings"]["learning_rate"]) == (row["seed"], row["learning_rate"])
        assert said["status"] == "done" and len(read_metrics(place / "metrics.jsonl")) == 2
        assert {p.name.partition("-")[0] for p in (place / "checkpoints").iterdir()} == {"iteration", "best"}
        prints.add(fingerprint(run)[0])
    assert len(prints) == 3


@pytest.mark.slow
def test_one_that_fails_leaves_the_others_as_they_are(tables):
    good, bad = ([logpi.load(row["directory"]) for row in tables(name)] for name in RATES)
    assert [fingerprint(run) for run in good[:2]] == [fingerprint(run) for run in bad[:2]]
    for run in bad[2:]:
        assert max(np.abs(x).max() for x in arrays(run)) > 1e20 or not all(np.isfinite(x).all() for x in arrays(run))


@pytest.mark.slow
def test_each_of_many_seeds_is_its_single_run_to_the_last_digits(tmp_path, monkeypatch):
    """One after the other on each device, as on a CPU, or side by side."""
    for name, mode in {"in turn": vectorized.map_members, "side by side": jax.vmap}.items():
        monkeypatch.setattr(vectorized, "map_members", mode)
        out = tmp_path / name
        runs = logpi.train_seeds(TASK, logpi.ppo(**TINY), seeds=3, evaluations=1, out=out, **QUIET)
        for seed, run in enumerate(runs):
            assert run.directory == out / f"seed-{seed}"
            almost_equal(alone(out / f"alone-{seed}", seed), run)


@pytest.mark.slow
def test_runs_that_take_different_numbers_of_steps_each_end_within_their_budget(tmp_path):
    recipe = logpi.reinforce(num_envs=4, hidden=(8,), max_episode_steps=50, learning_rate="1e-2:0")
    runs = logpi.train_seeds(TASK, recipe, seeds=4, steps=2000, evaluations=2, out=tmp_path)
    assert len({len(run.metrics) for run in runs}) > 1
    for seed, run in enumerate(runs):
        alone = logpi.train(TASK, recipe, seed=seed, steps=2000, evaluations=2, out=tmp_path / f"alone-{seed}")
        assert [row["steps"] for row in run.metrics][:2] == [row["steps"] for row in alone.metrics][:2]
        assert 2000 - 4 * 50 < run.summary["steps"] <= 2000
        assert sum("eval_return_mean" in row for row in run.metrics) == 2


def test_schedules_and_numbers_are_swept_alike():
    rates = [1e-3, LinearSchedule(1e-2, 0.0), 1e-3]
    algorithms = [logpi.ppo(learning_rate=rate).algorithm(logpi.ppo(learning_rate=rate).settings("")) for rate in rates]
    stacked = StackedHyperparameters(algorithms)
    assert [x.shape for x in stacked.values] == [(3, 2)]
    shown = [stacked.algorithm([x[i] for x in stacked.values]).at(0.5).update.learning_rate for i in range(3)]
    np.testing.assert_allclose(shown, [1e-3, 5e-3, 1e-3], rtol=1e-6)


def test_what_cannot_be_one_program_is_refused(tmp_path):
    with pytest.raises(logpi.LogpiError, match="written in JAX"):
        logpi.train_seeds("CartPole-v1", logpi.ppo(**TINY), seeds=2, out=tmp_path)
    for points in ({"hidden": [(4,), (8,)]}, {"epochs": [1, 2]}):
        with pytest.raises(logpi.LogpiError, match="shape"):
            logpi.sweep(TASK, logpi.ppo(**TINY), points, out=tmp_path)
    with pytest.raises(logpi.LogpiError, match="each of them once"):
        logpi.train_seeds(TASK, logpi.ppo(**TINY), seeds=[1, 1], out=tmp_path)
    with pytest.raises(logpi.LogpiError, match="learning_rate"):
        logpi.sweep(TASK, logpi.ppo(**TINY), {"learning_rate": [-1.0]}, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_points_can_be_a_grid_or_a_list():
    grid = grid_points({"clip_range": [0.1, 0.2], "gae_lambda": [0.9, 1.0]})
    assert len(grid) == 4 and grid_points(grid) == grid
