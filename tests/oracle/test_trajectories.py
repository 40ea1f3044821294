"""p_π(τ): it sums to 1, gives U, and its gradient needs no model (Liu's notes)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from worlds import GAMMA, WORLDS, stationary, table

from logpi.errors import LogpiError
from logpi.oracle.trajectories import count, importance_ratio, log_actions


def probability(mdp, logits, tau):
    return jnp.exp(mdp.log_probability(logits, tau))


def returns(tau):
    return jnp.sum(GAMMA ** tau.time.astype(float) * tau.reward, axis=0)


@pytest.mark.thorough_after(1)
def test_probabilities_sum_to_one_and_returns_to_the_utility(finite):
    logits = table(finite)
    tau = finite.trajectories(logits)
    chance = probability(finite, logits, tau)
    assert tau.reward.shape[1] == count(finite) <= 2000
    np.testing.assert_allclose(jnp.sum(chance), 1, rtol=1e-12)
    np.testing.assert_allclose(chance @ returns(tau), finite.utility(logits), rtol=1e-11)


@pytest.mark.thorough_after(1)
def test_a_policy_for_each_time(finite):
    logits = table(finite, by_time=True)
    tau = finite.trajectories(logits)
    np.testing.assert_allclose(probability(finite, logits, tau) @ returns(tau), finite.utility(logits), rtol=1e-11)


@pytest.mark.thorough_after(1)
def test_trajectories_are_whole_episodes_and_all_different(finite):
    """Each ends once, `terminated`, in its last valid row; rows follow on each other."""
    tau = finite.trajectories(table(finite))
    valid, ended = np.asarray(tau.valid), np.asarray(tau.terminated)
    assert tau.complete and not tau.truncated.any() and (ended.sum(axis=0) == 1).all()
    np.testing.assert_array_equal(valid, np.cumsum(ended, axis=0) - ended == 0)
    followed = (tau.next_obs[:-1] == tau.obs[1:]).all(axis=-1)
    assert np.asarray(followed)[valid[1:]].all()
    columns = np.stack([tau.obs.argmax(-1), tau.action, tau.next_obs.argmax(-1), tau.valid]).reshape(-1, valid.shape[1])
    assert len(np.unique(columns, axis=1).T) == valid.shape[1]


def test_log_prob_is_the_policys(finite):
    logits = table(finite)
    tau = finite.trajectories(logits)
    by_rows = jnp.sum(jnp.where(tau.valid, tau.log_prob, 0), axis=0)
    np.testing.assert_allclose(by_rows, log_actions(finite, logits, tau), rtol=1e-12)


@pytest.mark.thorough_after(1)
def test_the_gradient_of_log_p_needs_no_model(finite):
    """∇ log p_π(τ), with P and ρ0, is Σ_t ∇log π(a_t|s_t), without; its expectation is 0."""
    logits = table(finite)
    tau = finite.trajectories(logits)
    with_model, without = jax.jit(jax.jacfwd(lambda x: (finite.log_probability(x, tau), log_actions(finite, x, tau))))(
        logits
    )
    np.testing.assert_allclose(with_model, without, rtol=1e-12, atol=1e-14)
    mean = jnp.einsum("i,ijk->jk", probability(finite, logits, tau), without)
    np.testing.assert_allclose(mean, 0, atol=1e-13)


@pytest.mark.thorough_after(1)
def test_the_likelihood_ratio_gradient(finite):
    """∇U = E[∇log p_π(τ) R(τ)]."""
    logits = table(finite)
    tau = finite.trajectories(logits)
    scores = jax.jit(jax.jacfwd(lambda x: log_actions(finite, x, tau)))(logits)
    gradient = jnp.einsum("i,ijk->jk", probability(finite, logits, tau) * returns(tau), scores)
    np.testing.assert_allclose(gradient, finite.gradient(logits), rtol=1e-10, atol=1e-12)


def test_importance_sampling_of_trajectories(finite):
    """E_q[(p/q) R] = E_p[R]: one policy's utility from another's trajectories; the model cancels from p/q."""
    here, there = table(finite), table(finite, seed=1)
    tau = finite.trajectories(there)
    ratio = importance_ratio(finite, here, there, tau)
    utility = (probability(finite, there, tau) * ratio) @ returns(tau)
    np.testing.assert_allclose(utility, finite.utility(here), rtol=1e-10)


def test_what_cannot_be_enumerated_is_refused(double):
    mdp = WORLDS["chain"](4)
    with pytest.raises(LogpiError, match="only with a horizon"):
        stationary(mdp).trajectories(table(mdp))
    with pytest.raises(LogpiError, match="has 256 trajectories; allowed: at most 255"):
        mdp.trajectories(table(mdp), at_most=255)
    assert count(dataclasses.replace(mdp, horizon=200)) == 4**200
