"""A time limit inside a wrapper that plays on after it ends no episode: the environment's own end counts."""

import gymnasium
import numpy as np
import pytest
from counting import FLAT
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

import logpi

LENGTH = 10  # two trials of five steps


class Endless(gymnasium.Env):
    """Each step pays 1."""

    observation_space, action_space = FLAT, spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, False, False, {}


class Trials(gymnasium.Wrapper):
    """Two inner episodes are one."""

    def reset(self, **options):
        self.played = 0
        return self.env.reset(**options)

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.played += truncated
        if truncated and self.played < 2:
            obs, info = self.env.reset()
            truncated = False
        return obs, reward, terminated, truncated, info


def trials(limit=5):
    return Trials(TimeLimit(Endless(), limit))


TASKS = {"a wrapper": trials, "a wrapper in a longer limit": lambda: TimeLimit(trials(), 40)}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("make", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("method", ["reinforce", "a2c"])
def test_training_and_evaluation_play_the_same_episodes(method, make, tmp_path):
    collect = {} if method == "reinforce" else {"num_steps": LENGTH}
    recipe = getattr(logpi, method)(num_envs=2, hidden=(4,), **collect)
    run = logpi.train(make, recipe, steps=90, evaluations=1, workers=0, out=tmp_path / "run")
    row = run.metrics[-1]
    assert row["length_mean"] == row["eval_length_mean"] == row["return_mean"] == LENGTH
    assert logpi.evaluate(run.policy, make, episodes=3).lengths.tolist() == [LENGTH] * 3


@pytest.mark.thorough
def test_workers_play_the_same_episodes(tmp_path):
    """They got the inner limit as if it had been asked for."""
    run = logpi.train(trials, logpi.a2c(num_envs=2, num_steps=LENGTH, hidden=(4,)), steps=90, workers=1, out=tmp_path)
    assert run.metrics[-1]["length_mean"] == LENGTH


@pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.name)
def test_the_copies_of_a_vector_environment_may_have_unequal_limits(mode, key):
    limited = [lambda limit=limit: TimeLimit(Endless(), limit) for limit in (5, 9, 7)]
    environment = logpi.make(SyncVectorEnv(limited, autoreset_mode=mode), 3)
    assert environment.spec.time_limit == 9
    policy = logpi.mlp_policy(FLAT, spaces.Discrete(2), hidden=(4,), key=key)
    assert logpi.evaluate(policy, environment, episodes=3).lengths.tolist() == [5, 9, 7]


def test_a_limit_that_was_asked_for_holds(key):
    assert logpi.make(trials, 2, 7).spec.time_limit == 5
    policy = logpi.mlp_policy(FLAT, spaces.Discrete(2), hidden=(4,), key=key)
    assert logpi.evaluate(policy, trials, episodes=2, max_episode_steps=7).lengths.tolist() == [7, 7]
