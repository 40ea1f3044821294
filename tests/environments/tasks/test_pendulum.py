"""The pendulum on the device is Gymnasium's."""

import gymnasium
import jax
import jax.random as jr
import numpy as np

from logpi.environments.tasks.pendulum import Pendulum
from logpi.environments.vmap import Vmap

N = 10_000


def gymnasiums(states, torques):
    """(next state, next observation, reward) of Gymnasium's Pendulum-v1 from each state."""
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.reset(seed=0)
    for state, torque in zip(states, torques, strict=True):
        env.state = state.astype(np.float64)
        obs, reward, _, _, _ = env.step(np.array([torque]))
        yield (*env.state, *obs, reward)


def test_one_step_from_random_states_is_gymnasiums():
    """A policy's −1 … 1 is a torque of −2 … 2, and what lies beyond is cut off."""
    rng = np.random.default_rng(0)
    states = rng.uniform([-2 * np.pi, -8], [2 * np.pi, 8], (N, 2)).astype(np.float32)
    actions = rng.uniform(-1.5, 1.5, (N, 1)).astype(np.float32)
    truth = np.array(list(gymnasiums(states, 2 * actions[:, 0].clip(-1, 1))))
    begun = (states, np.zeros(N, np.int32))
    (state, _), step = jax.jit(Vmap(Pendulum(), N).step)(jr.key(0), begun, actions)
    np.testing.assert_allclose(state, truth[:, :2], atol=1e-5, rtol=0)
    np.testing.assert_allclose(step.next_obs, truth[:, 2:5], atol=1e-5, rtol=0)
    np.testing.assert_allclose(step.reward, truth[:, 5], atol=1e-5, rtol=0)
    assert not step.terminated.any() and not step.truncated.any()


def test_spaces_and_starts_are_gymnasiums(key):
    env, theirs = Pendulum(), gymnasium.make("Pendulum-v1")
    assert env.action_space == theirs.action_space and env.observation_space == theirs.observation_space
    (state, _), obs = Vmap(env, 4000).reset(key)
    np.testing.assert_allclose(np.abs(state).max(0), [np.pi, 1], rtol=2e-3)
    np.testing.assert_allclose(obs, np.stack([np.cos(state[:, 0]), np.sin(state[:, 0]), state[:, 1]], 1), atol=1e-6)
