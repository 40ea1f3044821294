"""The gates: whole tasks over five seeds, final policies, mean action, 100 fresh episodes each. Hours are not needed,
but minutes are, so they are marked slow; benchmarks/learning.md keeps what they reached."""

import numpy as np
import pytest

import logpi
from logpi.evaluation.statistics import bootstrap_interval
from logpi.presets.registry import find_algorithm

GATES = [
    ("CartPole-v1", "ppo", 100_000, 475),
    ("CartPole-v1", "reinforce", 500_000, 475),
    ("CartPole-v1", "vpg", 500_000, 475),
    ("CartPole-v1", "a2c", 500_000, 475),
    ("CartPole-v1", "q-actor-critic", 300_000, 475),
    ("Pendulum-v1", "ppo", 100_000, -200),
    ("CartPole-v1", "finite-difference", 200_000, 475),
    ("CartPole-v1", "regression", 200_000, 475),
    ("logpi:CartPole-v1", "finite-difference", 200_000, 475),
    ("logpi:CartPole-v1", "regression", 200_000, 475),
]


@pytest.mark.slow
@pytest.mark.parametrize(("env", "name", "steps", "threshold"), GATES)
def test_every_seed_solves_the_task_within_the_budget(env, name, steps, threshold, tmp_path):
    scores = []
    for seed in range(5):
        run = logpi.train(env, find_algorithm(name)(), steps=steps, seed=seed, evaluations=0, out=tmp_path / str(seed))
        assert run.summary["steps"] <= steps
        scores.append(logpi.evaluate(run.policy, env, episodes=100, seed=1).mean)
    assert min(scores) >= threshold, f"{name} on {env}: {scores}"
    assert bootstrap_interval(np.array(scores))[0] >= threshold - abs(threshold) / 20
