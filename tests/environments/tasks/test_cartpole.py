"""The cart-pole on the device is Gymnasium's."""

import gymnasium
import jax
import jax.random as jr
import numpy as np
import pytest

from logpi.environments.tasks.cartpole import CartPole
from logpi.environments.vmap import Vmap

N = 10_000


def gymnasiums(states, actions):
    """(next state, reward, terminated) of Gymnasium's CartPole-v1 from each state."""
    env = gymnasium.make("CartPole-v1").unwrapped
    env.reset(seed=0)
    for state, action in zip(states, actions, strict=True):
        env.state, env.steps_beyond_terminated = tuple(float(x) for x in state), None
        obs, reward, terminated, _, _ = env.step(int(action))
        yield (*obs, reward, terminated)


@pytest.mark.parametrize("seed", [0])
def test_one_step_from_random_states_is_gymnasiums(seed):
    rng = np.random.default_rng(seed)
    states = rng.uniform([-2.6, -4, -0.25, -4], [2.6, 4, 0.25, 4], (N, 4)).astype(np.float32)
    actions = rng.integers(0, 2, N).astype(np.int32)
    truth = np.array(list(gymnasiums(states, actions)))
    begun = (states, np.zeros(N, np.int32))
    _, step = jax.jit(Vmap(CartPole(), N).step)(jr.key(seed), begun, actions)
    np.testing.assert_allclose(step.next_obs, truth[:, :4], atol=1e-5, rtol=0)
    np.testing.assert_array_equal(step.reward, truth[:, 4])
    np.testing.assert_array_equal(step.terminated, truth[:, 5] == 1)
    assert 0.1 < np.mean(step.terminated) < 0.9


def test_spaces_and_starts_are_gymnasiums(key):
    env, theirs = CartPole(), gymnasium.make("CartPole-v1")
    assert env.action_space == theirs.action_space
    np.testing.assert_array_equal(env.observation_space.high, theirs.observation_space.high)
    starts = Vmap(env, 4000).reset(key)[1]
    np.testing.assert_allclose(np.quantile(starts, [0, 0.5, 1], axis=0)[:, 0], [-0.05, 0, 0.05], atol=2e-3)
