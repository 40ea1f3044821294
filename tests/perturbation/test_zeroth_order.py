"""The composition: who is perturbed, when the step is taken, what it is taken with."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from builders import close, on_device, on_host, replaced, stirred, walks

import logpi
from logpi.core.collection import Episodes
from logpi.core.schedules import LinearSchedule
from logpi.errors import LogpiError
from logpi.loop.iteration import init_carry, run_iteration
from logpi.perturbation.differences import forward_differences
from logpi.perturbation.evolution import EvolutionStrategies
from logpi.perturbation.finite_difference import FiniteDifference
from logpi.perturbation.regression import Regression
from logpi.perturbation.zeroth_order import ZerothOrder
from logpi.policies.behavior import greedy, sampled
from logpi.policies.normalization import update_statistics
from logpi.policies.policy import mlp_policy
from logpi.types import ravel, trainable
from logpi.updates.ascent import Ascent
from logpi.updates.restricted import NormConstrainedStep

PLAIN = Ascent(optax.sgd, 1.0)
DEVICE, HOST = walks(6, 12)


def linear_policy(key, environment=DEVICE, normalize=False):
    """Two logits of two numbers: six coordinates."""
    spec = environment.spec
    policy = mlp_policy(spec.observation_space, spec.action_space, hidden=(), normalize=normalize, key=key)
    return stirred(policy, key)


@eqx.filter_jit
def learned(algorithm, state, mu, tau, key):
    """(state', figures)."""
    return algorithm.learn(state, mu, tau, key)


def members(mu):
    """θ of each, as rows."""
    leaves = jax.tree.leaves(trainable(mu.policy)[0])
    return np.concatenate([np.asarray(x, float).reshape(len(x), -1) for x in leaves], axis=1)


def test_members_stand_where_the_pairing_puts_them(key):
    policy = linear_policy(key)
    theta = np.asarray(ravel(policy)[0], float)
    pairs = ZerothOrder(FiniteDifference(0.5), PLAIN, 6)
    moves = members(pairs.behavior(pairs.init(policy), key)) - theta
    np.testing.assert_allclose(moves, 0.5 * np.kron(np.eye(3, 6), [[1], [-1]]), atol=1e-6)
    against = ZerothOrder(FiniteDifference(0.5), PLAIN, 6, forward_differences)
    moves = members(against.behavior(against.init(policy), key)) - theta
    np.testing.assert_allclose(moves, 0.5 * np.eye(6, 6, -1)[:, :6], atol=1e-6)


@pytest.mark.parametrize("acting", [greedy, sampled])
def test_members_act_as_they_are_told(acting, key):
    """The mode, whatever the noise; or a sample, by the noise."""
    algorithm = ZerothOrder(FiniteDifference(0.5), PLAIN, 6, acting=acting)
    pi = algorithm.behavior(algorithm.init(linear_policy(key)), key)(jr.normal(key, (6, 2)))
    actions = jax.vmap(pi.sample)(jr.split(key, 50))
    assert (len(np.unique(np.asarray(actions), axis=0)) == 1) == (acting is greedy)


@pytest.mark.thorough
def test_the_device_and_the_host_make_the_same_estimate(key):
    """One deterministic environment, one key."""
    algorithm = ZerothOrder(Regression(0.3), PLAIN, 6, acting=sampled, collect=Episodes(episodes_per_env=2, group=2))
    state = algorithm.init(linear_policy(key))
    mu = algorithm.behavior(state, key)
    here, there = (
        learned(algorithm, state, mu, rollout(environment, mu, algorithm.collect, key), key)
        for rollout, environment in ((on_device, DEVICE), (on_host, HOST))
    )
    assert np.abs(here[0].opt.plus).max() > 0
    close(eqx.filter(here, eqx.is_array), eqx.filter(there, eqx.is_array), rtol=1e-4, atol=1e-5)


def experience(algorithm, key, normalize=True):
    """(state, μ, τ) of a first iteration on the device."""
    state = algorithm.init(linear_policy(key, normalize=normalize))
    mu = algorithm.behavior(state, key)
    return state, mu, on_device(DEVICE, mu, algorithm.collect, key)


@pytest.mark.thorough
def test_statistics_wait_for_the_step_and_have_seen_every_valid_row_once(key):
    """Three coordinates at a time of six: what the first rollout showed takes effect with the second."""
    algorithm = ZerothOrder(FiniteDifference(0.3), PLAIN, 6, acting=sampled)
    state, mu, tau = experience(algorithm, key)
    tau = replaced(tau, obs=jnp.where(tau.valid[..., None], tau.obs, 1e6))
    first, early = learned(algorithm, state, mu, tau, key)
    second, late = learned(algorithm, first, algorithm.behavior(first, key), tau, key)
    moments = lambda state: state.policy.encode.moments.value
    close(moments(first), moments(state))
    rows = tau.obs.reshape(-1, 2), tau.reward.reshape(-1), tau.valid.reshape(-1)
    want = update_statistics(update_statistics(state.policy, *rows), *rows)
    close(moments(second), want.encode.moments.value, rtol=1e-5)
    assert int(moments(second).count) == 2 * np.asarray(tau.valid).sum()
    assert early["statistics_kl"] == 0 < late["statistics_kl"]


@pytest.mark.thorough
def test_a_restricted_step_has_its_length_whatever_the_estimate(key):
    algorithm = ZerothOrder(EvolutionStrategies(0.3), NormConstrainedStep.with_length(0.2), 6, acting=sampled)
    state, mu, tau = experience(algorithm, key)
    new, info = learned(algorithm, state, mu, tau, key)
    step = np.asarray(ravel(new.policy)[0] - ravel(state.policy)[0], float)
    np.testing.assert_allclose(np.linalg.norm(step), 0.2, rtol=1e-4)
    np.testing.assert_allclose(info["step_norm"], 0.2, rtol=1e-5)


def test_returns_are_discounted_and_end_with_the_episode(key):
    algorithm = ZerothOrder(FiniteDifference(0.3), PLAIN, 6, acting=sampled, gamma=0.5)
    state, mu, tau = experience(algorithm, key)
    reward = np.where(tau.valid, tau.reward, 0)
    want = (reward * 0.5 ** np.arange(len(reward))[:, None]).sum(axis=0)
    new, _ = learned(algorithm, state, mu, replaced(tau, reward=jnp.where(tau.valid, tau.reward, 1e6)), key)
    np.testing.assert_allclose(new.opt.plus[0, :3], want[::2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(new.opt.minus[0, :3], want[1::2], rtol=1e-5, atol=1e-6)


@pytest.mark.thorough
def test_schedules_reach_the_perturbation_on_the_device_and_on_the_host(key, tmp_path):
    """From 1 to 0: nothing is moved at the end."""
    algorithm = ZerothOrder(FiniteDifference(LinearSchedule(1.0, 0.0)), PLAIN, 6)
    state = algorithm.init(linear_policy(key))
    moves = [members(algorithm.at(p).behavior(state, key)) - np.asarray(ravel(state.policy)[0]) for p in (0.0, 0.75)]
    np.testing.assert_allclose([np.abs(m).max() for m in moves], [1.0, 0.25], rtol=1e-5)
    carry = init_carry(algorithm, DEVICE, state.policy, None, key)
    eqx.filter_eval_shape(run_iteration, algorithm, DEVICE, carry, jnp.float32(0.5))
    run = logpi.train(HOST, algorithm, policy=state.policy, steps=300, evaluations=0, out=tmp_path)
    assert len(run.metrics) > 2


def test_a_population_that_cannot_be_paired_is_refused():
    with pytest.raises(LogpiError, match="num_envs is 7; allowed: an even number"):
        ZerothOrder(FiniteDifference(0.3), PLAIN, 7)
    with pytest.raises(LogpiError, match="num_envs is 7; allowed: an even number"):
        logpi.finite_difference(num_envs=7).settings("CartPole-v1")


def test_a_population_of_another_size_than_the_environments_is_refused(key, tmp_path):
    algorithm = ZerothOrder(FiniteDifference(0.3), PLAIN, 4)
    with pytest.raises(LogpiError, match="the population has 4 members for 6 environments"):
        logpi.train(DEVICE, algorithm, policy=linear_policy(key), steps=10, out=tmp_path)


def test_there_is_no_critic_to_learn_on_another_device():
    algorithm = ZerothOrder(FiniteDifference(0.1), PLAIN, population=6)
    assert algorithm.learns_separately is False and algorithm.critic_kind is None


class Known(FiniteDifference):
    """An estimate of which the gradient is (1, 1, …) and the variances are 0, 1, 2, …"""

    def __call__(self, displacements, plus, minus, separation):
        size = len(displacements)
        return jnp.ones(size), jnp.arange(size, dtype=float), {}


def test_the_standard_error_is_the_root_of_the_sum_of_the_variances():
    environment = walks(12, 12)[0]
    algorithm = ZerothOrder(Known(0.5), PLAIN, 12)
    state = algorithm.init(linear_policy(jr.key(0), environment))
    mu = algorithm.behavior(state, jr.key(1))
    info = learned(algorithm, state, mu, on_device(environment, mu, algorithm.collect, jr.key(2)), jr.key(3))[1]
    np.testing.assert_allclose(info["standard_error"], np.sqrt(0 + 1 + 2 + 3 + 4 + 5), rtol=1e-6)
    np.testing.assert_allclose(info["signal_to_noise"], np.sqrt(6) / np.sqrt(15), rtol=1e-6)
