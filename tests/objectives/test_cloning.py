"""mean log π(a|s): its gradient, and the policy gradient as weighted imitation."""

import dataclasses

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, VECTORS, batch, close, gradient, policy, replaced
from helpers import TablePolicy, learner, random_window

from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.core.collection import Steps
from logpi.credit.constant import Constant
from logpi.credit.total_return import TotalReturn
from logpi.objectives.cloning import log_likelihood
from logpi.objectives.score import score
from logpi.updates.ascent import Ascent, adam

LOGITS = jnp.array([[0.3, -0.2, 0.1], [-0.5, 0.4, 0.0]])


def window(complete=False, seed=3):
    """Three actions in two states, drawn at random, rewards too."""
    tau = random_window(np.random.default_rng(seed), 6, 5)
    rng = np.random.default_rng(seed + 1)
    obs, action = (jnp.asarray(rng.integers(0, n, (6, 5)), jnp.int32) for n in (2, 3))
    valid = jnp.asarray(rng.random((6, 5)) < 0.8)
    return dataclasses.replace(tau, obs=obs, next_obs=obs, action=action, valid=valid, complete=complete)


def gradient_of(credit, objective, tau):
    """∇J at the table, of the batch that the composition makes."""
    method = PolicyGradient(credit, objective, Ascent(adam, 1.0), collect=Steps(6))
    return gradient(objective, TablePolicy(LOGITS), method._batch(learner(TablePolicy(LOGITS)), tau, None)).logits


@pytest.mark.parametrize(("c", "seed"), [(1.0, 3), (-2.5, 3), (1.0, 4), (1.0, 5), (1.0, 6), (1.0, 7)])
def test_constant_weights_reduce_the_policy_gradient_to_cloning(c, seed):
    """∇ of Σ log π Φ / rows with Φ = c is c times ∇ of the mean log-likelihood."""
    tau = window(seed=seed)
    got, want = (gradient_of(Constant(c), objective, tau) for objective in (score, log_likelihood))
    np.testing.assert_allclose(got, c * want, rtol=1e-5, atol=1e-7)


def test_on_whole_episodes_up_to_their_mean_length():
    """There the policy gradient is a sum over an episode, and cloning stays a mean."""
    tau = window(complete=True)
    got, want = (gradient_of(Constant(), objective, tau) for objective in (score, log_likelihood))
    episodes = int(jnp.any(tau.valid, axis=0).sum())
    np.testing.assert_allclose(got, want * int(tau.valid.sum()) / episodes, rtol=1e-5, atol=1e-7)


def test_cloning_sees_no_reward():
    tau = window(complete=True)
    one, other = (gradient_of(credit, log_likelihood, tau) for credit in (Constant(), TotalReturn()))
    np.testing.assert_array_equal(one, other)


def test_its_gradient_is_how_often_less_how_likely():
    """∂/∂z_k in state s: the share of rows in s that took k, less the share in s times π(k|s)."""
    tau = window()
    valid = np.asarray(tau.valid)
    share = np.zeros((2, 3))
    np.add.at(share, (np.asarray(tau.obs)[valid], np.asarray(tau.action)[valid]), 1 / valid.sum())
    want = share - share.sum(axis=1, keepdims=True) * np.asarray(jax.nn.softmax(LOGITS))
    np.testing.assert_allclose(gradient_of(Constant(), log_likelihood, tau), want, rtol=1e-4, atol=1e-6)


def test_its_maximum_is_the_frequencies():
    tau = window()
    method = PolicyGradient(Constant(), log_likelihood, Ascent(adam, 0.1, epochs=500), collect=Steps(6))
    state = method.init(TablePolicy(LOGITS))
    new, info = jax.jit(method.learn)(state, method.behavior(state, jr.key(0)), tau, jr.key(0))
    valid = np.asarray(tau.valid)
    often = np.zeros((2, 3))
    np.add.at(often, (np.asarray(tau.obs)[valid], np.asarray(tau.action)[valid]), 1)
    often /= often.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(jax.nn.softmax(new.policy.logits), often, atol=1e-3)
    rows = often[np.asarray(tau.obs)[valid], np.asarray(tau.action)[valid]]
    np.testing.assert_allclose(info["log_likelihood"], np.log(rows).mean(), rtol=1e-3)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["softmax", "gaussian"])
def test_of_any_policy_it_is_the_mean_log_probability_over_valid_rows(key, actions):
    pi = policy(actions, key)
    rows = batch(pi, key)
    rows = replaced(rows, valid=jnp.arange(24) % 3 > 0, scale=jnp.float32(7))
    np.testing.assert_allclose(log_likelihood.evaluate(pi, rows), rows.log_prob[rows.valid].mean(), rtol=1e-5)
    close(gradient(log_likelihood, pi, rows), gradient(log_likelihood, pi, replaced(rows, credit=-rows.credit)), atol=0)
