"""Rollouts on the device: windows that run on, whole episodes, and log-probabilities that are the policy's own."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import Walk, behavior, on_device, walks
from helpers import mostly_slow

from logpi.core.collection import Episodes, Steps
from logpi.environments.tasks.cartpole import CartPole
from logpi.environments.tasks.pendulum import Pendulum
from logpi.environments.vmap import Vmap
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.policies.policy import mlp_policy
from logpi.rollout import device


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("single", mostly_slow([CartPole(), Pendulum()]), ids=["discrete", "gaussian"])
@pytest.mark.parametrize("collect", [Steps(32), Episodes()], ids=["steps", "episodes"])
def test_the_learner_finds_the_log_probabilities_that_the_actor_had(key, single, collect):
    """The first ratio is 1: max |ρ − 1| < 1e-4, evaluated in one batch as the learner does."""
    environment = Vmap(single, 8, 40)
    mu = behavior(environment, key, size=0.5)
    tau = on_device(environment, mu, collect, key)
    again = jax.vmap(jax.vmap(mu.policy))(tau.obs).log_prob(tau.action)
    rho = jnp.exp(again - tau.log_prob)[tau.valid]
    assert rho.size > 80 and jnp.max(jnp.abs(rho - 1)) < 1e-4


def test_what_is_stored_and_scored_is_what_was_sampled(key):
    """σ = 5 half-boxes: the buffer holds the draw, the environment feels at most its bounds."""
    environment = Vmap(Walk(continuous=True), 4, 8)
    spec = environment.spec
    mu = Behavior(mlp_policy(spec.observation_space, spec.action_space, initial_std=5.0, key=key))
    tau = on_device(environment, mu, Steps(32), key)
    assert jnp.max(jnp.abs(tau.action)) > 3
    assert jnp.min(tau.next_obs[..., 1]) == -0.5 and jnp.max(tau.next_obs[..., 1]) == 0.25
    np.testing.assert_allclose(jax.vmap(mu)(tau.obs).log_prob(tau.action), tau.log_prob, atol=1e-4)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("per_environment", [1, 3])
def test_each_column_is_one_whole_episode_and_what_follows_is_padding(key, per_environment):
    """Exactly k episodes from each environment: they end once, in the last row that counts."""
    environment, _ = walks(8, 6)
    collect = Episodes(episodes_per_env=per_environment)
    tau = on_device(environment, behavior(environment, key), collect, key)
    assert tau.complete and tau.valid.shape == (6, 8 * per_environment)
    lengths = np.asarray(tau.valid).sum(axis=0)
    np.testing.assert_array_equal(tau.valid, np.arange(6)[:, None] < lengths)
    last = np.arange(6)[:, None] == lengths - 1
    np.testing.assert_array_equal(tau.done & tau.valid, last)
    np.testing.assert_array_equal(np.asarray(tau.time)[tau.valid], np.nonzero(tau.valid)[0])
    assert not tau.obs[0].any() and len(set(lengths.tolist())) > 1
    assert {*np.asarray(tau.terminated)[last].tolist()} == {True, False}
    columns = {np.asarray(column).tobytes() for column in tau.action.T}
    assert len(columns) > 3 * per_environment


def test_whole_episodes_without_a_time_limit_are_refused(key):
    environment = Vmap(Walk(), 2)
    with pytest.raises(LogpiError, match=r"no time limit.*Episodes\(max_episode_steps=…\)"):
        device.rollout(environment, behavior(environment, key), (), key, Episodes())


def test_episodes_run_on_from_one_window_to_the_next(key):
    """Two windows of 5 steps are 10 steps: obs follow on, and time counts within episodes throughout."""
    environment, _ = walks(4, 7)
    mu, collect = behavior(environment, key), Steps(5)
    carry, windows = device.init_env_state(environment, collect, key), []
    for k in jr.split(key):
        carry, tau, _ = eqx.filter_jit(device.rollout)(environment, mu, carry, k, collect)
        windows.append(tau)
    tau = jax.tree.map(lambda *x: jnp.concatenate(x), *windows)
    time = np.zeros(4, int)
    for t in range(10):
        np.testing.assert_array_equal(tau.time[t], time)
        np.testing.assert_array_equal(tau.truncated[t], (time == 6) & ~np.asarray(tau.terminated[t]))
        time = np.where(tau.done[t], 0, time + 1)
    going_on = np.asarray(~tau.done[:-1])
    np.testing.assert_array_equal(np.asarray(tau.obs[1:])[going_on], np.asarray(tau.next_obs[:-1])[going_on])
    assert not np.asarray(tau.obs[1:])[~going_on].any() and (~going_on[4]).sum() < 4
    assert tau.valid.all()


@pytest.mark.thorough
def test_actions_follow_the_key_and_nothing_else_repeats(key):
    """Steps and environments draw independently: no correlation beyond four standard errors."""
    environment = Vmap(Pendulum(), 50, 200)
    mu = Behavior(mlp_policy(environment.spec.observation_space, environment.spec.action_space, key=key))
    one, same, other = (on_device(environment, mu, Steps(100), k) for k in (key, key, jr.key(1)))
    np.testing.assert_array_equal(one.action, same.action)
    assert not jnp.any(one.action == other.action)
    a = np.asarray(one.action[..., 0])
    for x, y in [(a[1:], a[:-1]), (a[:, 1:], a[:, :-1])]:
        assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 4 / np.sqrt(x.size)
