"""Many copies of one environment in JAX: limits, ends and fresh starts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gymnasium import spaces

from logpi.environments.vmap import Vmap


class Clock(eqx.Module):
    """obs = (start, t), the start drawn at each reset; terminates at t = length, if that is not 0."""

    length: int = 0

    @property
    def observation_space(self):
        return spaces.Box(-np.inf, np.inf, (2,))

    @property
    def action_space(self):
        return spaces.Discrete(2)

    def reset(self, key):
        obs = jnp.stack([jr.uniform(key), jnp.float32(0)])
        return obs, obs

    def step(self, key, state, action):
        del key
        state = state + jnp.array([0.0, 1.0])
        return state, state, state[1] * action.astype(float), state[1] == self.length


def run(environment, length, key):
    """(the observations acted on, the steps), stacked over time."""
    k_reset, k_step = jr.split(key)
    state, first = environment.reset(k_reset)

    def body(carry, key):
        state, obs = carry
        state, step = environment.step(key, state, jnp.ones(environment.num_envs, jnp.int32))
        return (state, step.obs), (obs, step)

    return jax.lax.scan(body, (state, first), jr.split(k_step, length))[1]


def test_a_time_limit_truncates(key):
    _, step = run(Vmap(Clock(), 3, 4), 12, key)
    at_limit = np.tile(np.arange(12)[:, None] % 4 == 3, 3)
    np.testing.assert_array_equal(step.truncated, at_limit)
    assert not step.terminated.any() and step.valid.all()


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("limit", [5, 6, None])
def test_termination_goes_before_the_time_limit(key, limit):
    """An end of the MDP on the limit's own step is an end of the MDP."""
    _, step = run(Vmap(Clock(5), 3, limit), 12, key)
    np.testing.assert_array_equal(step.terminated, np.tile(np.arange(12)[:, None] % 5 == 4, 3))
    assert not step.truncated.any()


@pytest.mark.parametrize("environment", [Vmap(Clock(4), 3), Vmap(Clock(), 3, 4)], ids=["terminated", "truncated"])
def test_the_successor_is_true_and_the_next_observation_a_fresh_start(key, environment):
    obs, step = run(environment, 12, key)
    np.testing.assert_array_equal(step.next_obs[..., 0], obs[..., 0])
    np.testing.assert_array_equal(step.next_obs[..., 1], obs[..., 1] + 1)
    np.testing.assert_array_equal(step.reward, step.next_obs[..., 1])
    done = np.asarray(step.terminated | step.truncated)
    np.testing.assert_array_equal(np.asarray(step.obs)[~done], np.asarray(step.next_obs)[~done])
    starts = np.asarray(step.obs)[done]
    assert not starts[:, 1].any()
    assert len({*starts[:, 0].tolist(), *obs[0, :, 0].tolist()}) == 12


def test_all_copies_start_differently_and_seeds_do_not_overlap(key):
    environment = Vmap(Clock(), 64)
    first, other = (environment.reset(k)[1][:, 0].tolist() for k in (jr.key(0), jr.key(1)))
    assert len({*first, *other}) == 128


def test_what_is_known_before_it_runs():
    spec = Vmap(Clock(), 3, 4).spec
    assert (spec.name, spec.num_envs, spec.time_limit) == ("Clock", 3, 4)
    assert spec.action_space == spaces.Discrete(2) and spec.observation_space.shape == (2,)
