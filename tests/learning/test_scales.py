"""Bounds that are not ±1, observations that are not about 1, numbers that are not float32: learned all the same."""

import contextlib

import equinox as eqx
import gymnasium
import jax
import numpy as np
import pytest
from gymnasium import spaces
from helpers import double_precision, mostly_slow

import logpi
from logpi.environments.adapters.gymnasium import Gymnasium


class Aim(gymnasium.Env):
    """Four shots an episode at 2 + 4x/10⁴, x ∈ ±10⁴ observed in float64; actions in −3 … 7. A hit pays 1."""

    observation_space = spaces.Box(-1e4, 1e4, (1,), np.float64)
    action_space = spaces.Box(-3.0, 7.0, (1,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t = 0
        return self._draw(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        reward = float(np.exp(-((action[0] - 2 - 4 * self._x[0] / 1e4) ** 2)))
        self._t += 1
        return self._draw(), reward, self._t == 4, False, {}

    def _draw(self):
        self._x = self.np_random.uniform(-1e4, 1e4, 1)
        return self._x


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_ppo_hits_within_five_percent(seed, tmp_path):
    """The optimum is 4; always shooting at the middle gets 0.9."""
    recipe = logpi.ppo(learning_rate="2e-3:1e-4", minibatch_size=256, gamma=0.5, normalize_observations=True)
    run = logpi.train(Aim, recipe, steps=60_000, seed=seed, evaluations=0, out=tmp_path)
    assert logpi.evaluate(run.policy, Aim, episodes=200, max_episode_steps=4).mean >= 0.95 * 4


@pytest.mark.thorough
@pytest.mark.parametrize("double", mostly_slow([True, False]), ids=["x64", "float32"])
def test_observations_of_64_bits_are_cast_once(double, tmp_path):
    """RELIABILITY 35: kept as float32 whatever JAX is set to; the programs, compiled ahead, take both rollouts."""
    kept = Gymnasium(Aim, 2).reset(0)
    assert kept.dtype == np.float32 and np.abs(kept).max() > 100
    with double_precision() if double else contextlib.nullcontext():
        run = logpi.train(Aim, logpi.a2c(num_envs=2, num_steps=8, hidden=(4,)), steps=32, evaluations=0, out=tmp_path)
        assert run.metrics[-1]["steps"] == 32 and run.metrics[-1]["skipped_updates"] == 0
        dtypes = {x.dtype for x in jax.tree.leaves(run.policy) if eqx.is_inexact_array(x)}
    assert double or dtypes == {np.dtype(np.float32)}
