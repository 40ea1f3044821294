"""Brax's environments: its dynamics and ends; ours are the limits and the resets. `alike` stands in for the library."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from alike import OF_BRAX, FirstAgain, LikeBrax
from builders import Walk
from gymnasium import spaces

import logpi
from logpi.environments.adapters.brax import Brax
from logpi.environments.adapters.jax_compat import default_promotion
from logpi.errors import LogpiError
from logpi.testing import check_environment

TASK = Walk(continuous=True)


def test_what_it_is_made_of_keeps_the_contract():
    check_environment(lambda: Brax(LikeBrax(TASK), 6), steps=60)


def test_observations_are_the_environments_and_actions_fill_the_unit_box():
    spec = logpi.make(Brax(LikeBrax(TASK)), 2).spec
    assert spec.observation_space == spaces.Box(-np.inf, np.inf, (2,))
    assert spec.action_space == spaces.Box(-1.0, 1.0, (1,))
    assert spec.time_limit == 1000


def test_a_dict_is_observed_as_a_dict():
    single = Brax(LikeBrax(TASK, seen=lambda obs: {"state": obs, "told": {"all": obs[:1]}}))
    inner = spaces.Dict(all=spaces.Box(-np.inf, np.inf, (1,)))
    assert single.observation_space == spaces.Dict(state=spaces.Box(-np.inf, np.inf, (2,)), told=inner)
    _, first = logpi.make(single, 3).reset(jr.key(0))
    assert first["told"]["all"].shape == (3, 1)


@pytest.mark.parametrize("key", ["truncation", "first_obs", "AutoResetWrapper_first_obs"])
def test_wrappers_that_end_or_reset_episodes_are_refused(key):
    with pytest.raises(LogpiError, match=f"its state has {key}.*get_environment"):
        Brax(FirstAgain(LikeBrax(TASK), key))


# From here on, the library itself.


pytestmark = pytest.mark.filterwarnings(*OF_BRAX)


@pytest.fixture
def envs():
    return pytest.importorskip("brax.envs")


def test_each_step_is_braxs_own_until_the_limit(envs):
    """Ends of both kinds; after each, a start that no episode had before."""
    n, count, limit = 3, 30, 12
    ours, theirs = logpi.make("brax:inverted_pendulum", n, limit), envs.get_environment("inverted_pendulum")
    reset_by_hand, step_by_hand = (default_promotion()(jax.jit(f)) for f in (theirs.reset, theirs.step))
    step_ours = jax.jit(lambda key, state, action: ours.step(key, state, action))
    keys, push = jr.split(jr.key(1), n), jnp.array([1.0, -1.0, 0.0])[:, None]
    state, obs = ours.reset(keys)
    starts = [*np.asarray(obs)]
    by_hand = [reset_by_hand(jr.key_data(key)) for key in keys]
    time, kinds = np.zeros(n, int), set()
    for t in range(count):
        keys = jr.split(jr.key(100 + t), n)
        state, step = step_ours(keys, state, push)
        step = jax.device_get(step)
        for i in range(n):
            by_hand[i] = step_by_hand(by_hand[i], push[i])
            time[i] += 1
            terminated, late = bool(by_hand[i].done), time[i] == limit
            np.testing.assert_allclose(step.next_obs[i], by_hand[i].obs, atol=1e-5)
            assert step.reward[i] == by_hand[i].reward
            assert (step.terminated[i], step.truncated[i]) == (terminated, late and not terminated)
            if terminated or late:
                kinds.add("terminated" if terminated else "truncated")
                by_hand[i], time[i] = reset_by_hand(jr.key_data(jr.split(keys[i])[1])), 0
                starts.append(step.obs[i])
                np.testing.assert_allclose(step.obs[i], by_hand[i].obs, atol=1e-6)
            else:
                np.testing.assert_array_equal(step.obs[i], step.next_obs[i])
    assert kinds == {"terminated", "truncated"}
    assert len(np.unique(starts, axis=0)) == len(starts) > n


def test_actions_at_the_ends_of_the_box_push_as_braxs_do(envs):
    """What is beyond them is clipped."""
    ours = logpi.make("brax:inverted_pendulum", 3)
    state, _ = ours.reset(jr.split(jr.key(0))[jnp.zeros(3, int)])
    push = jnp.array([[1.0], [7.0], [0.5]])
    _, step = jax.jit(lambda *x: ours.step(*x))(jr.key(0), state, push)
    np.testing.assert_array_equal(step.next_obs[0], step.next_obs[1])
    assert np.abs(step.next_obs[0] - step.next_obs[2]).max() > 0.01


def test_its_own_wrappers_are_refused(envs):
    with pytest.raises(LogpiError, match="its state has"):
        Brax(envs.create("fast", auto_reset=False))


def test_the_task_keeps_the_contract(envs):
    check_environment("brax:fast", num_envs=2, steps=40)


@pytest.mark.slow
def test_every_task_keeps_the_contract(envs):
    """But the swimmer, whose water asks `clip_range` by names that JAX 0.10 no longer has (Brax 0.14.2)."""
    for task in set(envs._envs) - {"swimmer"}:
        check_environment(f"brax:{task}", num_envs=2, steps=20)
