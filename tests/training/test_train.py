"""Training as a whole: budgets, seeds, evaluation on the side, what is left on disk."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import jax
import numpy as np
import pytest
from helpers import mostly_slow
from small_runs import TINY, fingerprint, trained

import logpi
from logpi.evaluation.evaluate import make_evaluator

SCRIPT = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
from small_runs import TINY, fingerprint, trained
print(*fingerprint(trained(Path({out!r}), {env!r}, seed={seed})))
"""


def in_another_process(tmp_path, env, seed, name):
    script = SCRIPT.format(tests=str(Path(__file__).parents[1]), out=str(tmp_path / name), env=env, seed=seed)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.thorough
@pytest.mark.parametrize("env", mostly_slow(["CartPole-v1", "logpi:CartPole-v1"]))
def test_same_seed_same_bits_in_another_process(tmp_path, env):
    first, again = (in_another_process(tmp_path, env, 3, name) for name in ("first", "again"))
    assert first == again and len(first.split()) == 2
    other = trained(tmp_path / "other", env, seed=4)
    assert first != " ".join(fingerprint(other)) + "\n"


@pytest.mark.thorough
@pytest.mark.parametrize("env", ["logpi:CartPole-v1", "CartPole-v1"])
def test_evaluating_leaves_training_as_it_was(tmp_path, env):
    plain = trained(tmp_path / "plain", env)
    watched = trained(tmp_path / "watched", env, evaluations=6)
    assert sum("eval_return_mean" in row for row in watched.metrics) == 6
    assert fingerprint(plain)[0] == fingerprint(watched)[0]
    assert [row["kl"] for row in plain.metrics] == [row["kl"] for row in watched.metrics]


class Thousand(gymnasium.Env):
    """Seven steps of reward 1000."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.t += 1
        return np.full(2, self.t / 7, np.float32), 1000.0, self.t == 7, False, {}


def thousand():
    return gymnasium.wrappers.TimeLimit(Thousand(), 50)


@pytest.mark.thorough
def test_evaluation_reports_raw_returns_and_leaves_statistics_alone(tmp_path):
    recipe = logpi.ppo(**TINY, normalize_observations=True, normalize_returns=True)
    run = logpi.train(thousand, recipe, steps=512, evaluations=0, out=tmp_path)
    before = [np.array(x) for x in jax.tree.leaves(run.policy)]
    environment = logpi.make(thousand, 5)
    result = make_evaluator(environment, run.policy, 10)(run.policy, 1).result()
    assert (result.returns == 7000).all() and (result.lengths == 7).all()
    assert all(np.array_equal(a, b) for a, b in zip(before, jax.tree.leaves(run.policy), strict=True))


def test_a_run_never_takes_more_steps_than_asked(tmp_path):
    run = trained(tmp_path, steps=200)  # iterations of 64
    assert run.summary["steps"] == 192 and [row["steps"] for row in run.metrics] == [64, 128, 192]


def test_one_iteration_is_always_made(tmp_path):
    assert trained(tmp_path, steps=1).summary["steps"] == 64


@pytest.mark.thorough
def test_dummy_rows_are_not_counted(tmp_path):
    """In NEXT_STEP mode the step after an end is no transition."""
    mode = gymnasium.vector.AutoresetMode.NEXT_STEP
    make = lambda: gymnasium.vector.SyncVectorEnv([thousand] * 4, autoreset_mode=mode)
    run = logpi.train(make(), logpi.ppo(**TINY), steps=64, evaluations=0, out=tmp_path)
    assert run.summary["steps"] == 4 * (16 - 2)  # two episodes of 7, each followed by a dummy row
    assert run.metrics[0]["episodes"] == 8 and run.metrics[0]["return_mean"] == 7000


def test_callbacks_see_each_record_and_can_stop(tmp_path):
    seen = []
    run = trained(tmp_path, callbacks=[seen.append, lambda record: record["iteration"] == 2])
    assert seen == run.metrics and len(run.metrics) == 2
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "stopped"


ROW = """iteration steps episodes return_mean return_min return_max length_mean kl entropy clip_fraction
explained_variance gradient_norm step_norm effective_sample_size learning_rate
rollout_seconds learn_seconds steps_per_second""".split()


def test_what_a_run_leaves_behind(tmp_path):
    run = trained(tmp_path, "CartPole-v1", evaluations=2)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == run.metrics and all(set(ROW) <= set(row) for row in rows)
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "done"
    assert {"steps", "train_seconds", "compile_seconds", "steps_per_second", "return_mean", "eval_return_mean"} <= set(
        json.loads((tmp_path / "summary.json").read_text())
    )
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert list(tmp_path.glob("events.out.tfevents.*"))
    kinds = {p.name.partition("-")[0] for p in (tmp_path / "checkpoints").iterdir()}
    assert kinds == {"iteration", "best"}


def test_a_loaded_policy_is_the_trained_one(tmp_path):
    run = trained(tmp_path)
    loaded = logpi.load(tmp_path)
    assert fingerprint(loaded) == fingerprint(run)


@pytest.mark.thorough
def test_a_hand_built_algorithm_with_its_own_networks(tmp_path):
    env = logpi.make("CartPole-v1", 2)
    policy = logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, hidden=(8,), key=jax.random.key(0))
    algorithm = logpi.PolicyGradient(
        logpi.TotalReturn() - logpi.mean_baseline,
        logpi.score,
        logpi.Ascent(logpi.adam, logpi.LinearSchedule(1e-2, 0)),
        collect=logpi.Episodes(max_episode_steps=30),
    )
    run = logpi.train("CartPole-v1", algorithm, policy=policy, steps=1000, evaluations=1, out=tmp_path)
    assert run.metrics[0]["return_max"] <= 30 and run.summary["steps"] <= 1000
    rates = [row["learning_rate"] for row in run.metrics]
    assert rates[0] == pytest.approx(1e-2) and rates == sorted(rates, reverse=True)
    again = logpi.load(tmp_path, policy=policy)
    assert fingerprint(again) == fingerprint(run)


def test_networks_are_asked_for_where_they_are_needed(tmp_path):
    algorithm = logpi.PolicyGradient(logpi.RewardToGo(0.9), logpi.score, logpi.Ascent(logpi.adam, 1e-2))
    with pytest.raises(logpi.LogpiError, match="needs its networks"):
        logpi.train("CartPole-v1", algorithm, steps=100, out=tmp_path)


def test_parts_that_do_not_fit_fail_before_the_first_step(tmp_path):
    env = logpi.make("CartPole-v1", 2)
    policy = logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, hidden=(8,), key=jax.random.key(0))
    algorithm = logpi.PolicyGradient(logpi.RewardToGo(0.9), logpi.score, logpi.Ascent(logpi.adam, 1e-2))
    with pytest.raises(logpi.LogpiError, match="needs a critic"):
        logpi.train("CartPole-v1", algorithm, policy=policy, steps=100, out=tmp_path)


@pytest.mark.thorough
def test_a_run_directory_is_not_overwritten(tmp_path):
    trained(tmp_path, steps=64)
    with pytest.raises(logpi.LogpiError, match="already holds a run"):
        trained(tmp_path, steps=64)
