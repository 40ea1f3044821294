"""MuJoCo Playground's environments: its dynamics; ours are the limits and the resets. Needs the library itself."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import logpi
from logpi.environments.adapters import playground
from logpi.environments.adapters.jax_compat import default_promotion
from logpi.testing import check_environment

TASK = "CartpoleBalance"


@pytest.fixture
def registry():
    return pytest.importorskip("mujoco_playground").registry


def test_what_it_is(registry):
    """Its own time limit, actions from −1 to 1, and a name for each of its tasks."""
    spec = logpi.make(f"playground:{TASK}", 2).spec
    assert (spec.time_limit, spec.num_envs) == (registry.get_default_config(TASK).episode_length, 2)
    np.testing.assert_array_equal([spec.action_space.low, spec.action_space.high], [[-1], [1]])
    assert TASK in playground.names()


def test_each_step_is_playgrounds_own_until_the_limit(registry):
    """After it a start that no episode had before, where Playground's own wrapper begins the first one again."""
    n, count, limit = 2, 11, 5
    config = registry.get_default_config(TASK)
    config.impl = "jax"
    ours, theirs = logpi.make(f"playground:{TASK}", n, limit), registry.load(TASK, config=config)
    reset_by_hand, step_by_hand = (default_promotion()(jax.jit(f)) for f in (theirs.reset, theirs.step))
    step_ours = jax.jit(lambda key, state, action: ours.step(key, state, action))
    keys, push = jr.split(jr.key(1), n), jnp.array([[1.0], [-0.5]])
    state, obs = jax.jit(ours.reset)(keys)
    starts, by_hand = [*np.asarray(obs)], [reset_by_hand(jr.key_data(key)) for key in keys]
    for t in range(1, count):
        keys = jr.split(jr.key(100 + t), n)
        state, step = step_ours(keys, state, push)
        late = t % limit == 0
        assert (step.truncated == late).all() and not step.terminated.any()
        for i in range(n):
            by_hand[i] = step_by_hand(by_hand[i], push[i])
            np.testing.assert_allclose(step.next_obs[i], by_hand[i].obs, atol=1e-4)
            np.testing.assert_allclose(step.reward[i], by_hand[i].reward, atol=1e-5)
            if late:
                by_hand[i] = reset_by_hand(jr.key_data(jr.split(keys[i])[1]))
                starts.append(step.obs[i])
            np.testing.assert_allclose(step.obs[i], by_hand[i].obs, atol=1e-4)
    assert len(np.unique(starts, axis=0)) == len(starts) == 3 * n


def test_the_task_keeps_the_contract(registry):
    check_environment(f"playground:{TASK}", num_envs=2, steps=20)


@pytest.mark.slow
def test_every_task_of_the_control_suite_keeps_the_contract(registry):
    """Robots' models are fetched when they are made: those tasks are left to who has them."""
    for task in registry.dm_control_suite.ALL_ENVS:
        check_environment(f"playground:{task}", num_envs=2, steps=20)
