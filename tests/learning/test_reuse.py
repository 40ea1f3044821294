"""The gate of reuse: up to ten steps on a batch, weighted, with a floor. benchmarks/learning.md keeps the figures."""

import pytest

import logpi


@pytest.mark.slow
def test_every_seed_of_five_solves_the_task_within_the_budget(tmp_path):
    for seed in range(5):
        recipe, out = logpi.off_policy(), tmp_path / str(seed)
        run = logpi.train("CartPole-v1", recipe, steps=300_000, seed=seed, evaluations=0, out=out)
        assert run.summary["steps"] <= 300_000 and all(0 < row["effective_share"] <= 1.001 for row in run.metrics)
        assert logpi.evaluate(run.policy, "CartPole-v1", episodes=100, seed=1).mean >= 475
