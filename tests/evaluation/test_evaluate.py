"""Evaluation: exact returns, its own seeds, an interval that means something."""

import gymnasium
import jax
import numpy as np
import pytest

import logpi
from logpi.evaluation.evaluate import Evaluation, make_evaluator
from logpi.rollout.workers.pool import WorkerPool


@pytest.fixture(scope="module")
def policy():
    env = logpi.make("CartPole-v1", 1)
    return logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, hidden=(8,), key=jax.random.key(3))


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("env", ["CartPole-v1", "logpi:CartPole-v1"])
def test_the_seed_decides_the_episodes(policy, env):
    first, again, other = (logpi.evaluate(policy, env, episodes=7, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.returns, again.returns)
    assert not np.array_equal(first.returns, other.returns)
    assert (first.returns == first.lengths).all() and len(first.returns) == 7


def test_actions_are_the_mode_unless_asked_otherwise(policy):
    still = [logpi.evaluate(policy, "CartPole-v1", episodes=5, seed=1).mean for _ in range(2)]
    drawn = logpi.evaluate(policy, "CartPole-v1", episodes=5, seed=1, stochastic=True).mean
    assert still[0] == still[1] != drawn


def test_a_hand_loop_gives_the_same_returns(policy):
    """The mode of the policy, step by step, on environments seeded as the evaluation seeds them."""
    from logpi.core.seeds import EVALUATION, derive

    result = logpi.evaluate(policy, "CartPole-v1", episodes=3, seed=5)
    for i, expected in enumerate(result.returns):
        words = np.random.SeedSequence((derive(5, EVALUATION), i, 0)).generate_state(1)
        env, total, done = gymnasium.make("CartPole-v1"), 0.0, False
        obs, _ = env.reset(seed=int(words[0]) >> 1)
        while not done:
            obs, reward, terminated, truncated, _ = env.step(int(policy(obs).mode()))
            total, done = total + reward, terminated or truncated
        assert total == expected


def test_no_training_episode_is_an_evaluation_episode():
    from logpi.core.seeds import EVALUATION, TRAINING, derive

    seeds = {derive(run, TRAINING, i) for run in range(20) for i in range(50)}
    assert not seeds & {derive(run, EVALUATION) for run in range(1000)}


def test_a_task_without_a_limit_needs_one(policy):
    unlimited = lambda: gymnasium.make("CartPole-v1").unwrapped
    with pytest.raises(logpi.LogpiError, match="limit"):
        logpi.evaluate(policy, unlimited, episodes=2)
    assert logpi.evaluate(policy, unlimited, episodes=2, max_episode_steps=20).lengths.max() <= 20


def test_an_environment_that_the_user_made_stays_open(policy, monkeypatch):
    environment, closed = logpi.make("CartPole-v1", 2), []
    monkeypatch.setattr(type(environment), "close", lambda self: closed.append(self))
    logpi.evaluate(policy, environment, episodes=2)
    assert closed == []
    logpi.evaluate(policy, "CartPole-v1", episodes=1)
    assert len(closed) == 1


def test_the_interval_is_for_the_mean():
    same = Evaluation(np.full(10, 3.0), np.ones(10))
    assert same.mean == 3 and same.ci == (3, 3)
    rng = np.random.default_rng(1)
    samples = [Evaluation(rng.normal(size=50), np.ones(50)).ci for _ in range(200)]
    covered = np.mean([low <= 0 <= high for low, high in samples])
    assert 0.88 <= covered <= 0.99  # 95 % nominal; the bootstrap of 50 draws is a little short


@pytest.mark.thorough
@pytest.mark.parametrize(("long", "times"), [(0.0, 1), (1e9, 0)])
def test_long_evaluations_are_left_to_workers_and_no_bit_changes(policy, monkeypatch, long, times):
    """From the second on; short ones never are."""
    monkeypatch.setattr("logpi.evaluation.evaluate.WORKER_THRESHOLD_SECONDS", long)
    pools = []

    def use_workers(rollout):
        pools.append(WorkerPool(logpi.make("CartPole-v1", 5), 2))
        rollout.use_workers(pools[-1])

    alone, together = logpi.make("CartPole-v1", 5), logpi.make("CartPole-v1", 5)
    try:
        run = make_evaluator(alone, policy, 7)
        shared = make_evaluator(together, policy, 7, use_workers=use_workers)
        for seed in (1, 2, 3):
            here, there = (begin(policy, seed).result().returns for begin in (run, shared))
            np.testing.assert_array_equal(here, there)
        assert len(pools) == times
    finally:
        for pool in pools:
            pool.close()
