"""The gate of cloning: twenty episodes of an expert that PPO trained, then the clone, then PPO from the clone on."""

import numpy as np
import pytest

import logpi


@pytest.mark.slow
def test_a_clone_of_twenty_episodes_balances_and_ppo_improves_it(tmp_path):
    """benchmarks/cloning.py prints these figures; benchmarks/learning.md keeps them."""
    for seed in range(3):
        trained = logpi.train(
            "CartPole-v1", logpi.ppo(), steps=100_000, seed=seed, evaluations=0, out=tmp_path / f"e{seed}"
        )
        tau = logpi.collect_episodes(trained.policy, "CartPole-v1", episodes=20, seed=seed)
        clone = logpi.clone(tau, "CartPole-v1", seed=seed)
        alone = logpi.evaluate(clone, "CartPole-v1", episodes=100, seed=1).mean
        recipe = logpi.ppo().from_policy(clone)
        run = logpi.train("CartPole-v1", recipe, steps=50_000, seed=seed, evaluations=0, out=tmp_path / f"i{seed}")
        improved = logpi.evaluate(run.policy, "CartPole-v1", episodes=100, seed=1).mean
        assert np.asarray(tau.reward).sum(axis=0).mean() > 450 and alone >= 450 and improved >= 475, (alone, improved)
