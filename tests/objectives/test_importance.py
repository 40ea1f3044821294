"""Σ ρ Φ: at θ_old it has the value of Φ and the gradient of the score; elsewhere it corrects for who acted."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, VECTORS, at, batch, close, gradient, policy, replaced, stirred

from logpi.objectives.importance import importance, ratio
from logpi.objectives.score import score


@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["softmax", "gaussian"])
def test_its_gradient_at_the_old_policy_is_the_scores(key, actions):
    pi = policy(actions, key)
    rows = batch(pi, key)
    close(gradient(importance, pi, rows), gradient(score, pi, rows), atol=1e-6, rtol=0)


def test_its_value_at_the_old_policy_is_the_mean_credit(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    np.testing.assert_allclose(importance.evaluate(pi, rows), jnp.mean(rows.credit), rtol=1e-5)


def test_the_ratio_is_that_of_the_probabilities(key):
    pi, other = policy(CHOICES, key), policy(CHOICES, jr.key(1))
    rows = batch(pi, key)
    new = jnp.stack([jnp.exp(other(o).log_prob(a)) for o, a in zip(rows.obs, rows.action, strict=True)])
    np.testing.assert_allclose(ratio(at(other, rows.obs, 1), rows), new / jnp.exp(rows.log_prob), rtol=1e-4)


def test_it_weighs_another_policys_data_into_ones_own(key):
    """E_μ[ρ f] = E_π[f]: exact where each action is counted as often as μ takes it."""
    pi = policy(CHOICES, key)
    mu = stirred(pi, jr.key(2), 0.3)
    seen = batch(mu, key, shape=(3,))
    obs = jnp.repeat(seen.obs[:1], 3, axis=0)
    f, action = jnp.array([2.0, -1.0, 5.0]), jnp.arange(3, dtype=jnp.int32)
    log_mu = jnp.stack([mu(o).log_prob(a) for o, a in zip(obs, action, strict=True)])
    own = jnp.stack([jnp.exp(pi(o).log_prob(a)) for o, a in zip(obs, action, strict=True)])
    rows = replaced(seen, obs=obs, action=action, log_prob=log_mu, credit=jnp.exp(log_mu) * f, scale=jnp.float32(1))
    np.testing.assert_allclose(importance.evaluate(pi, rows), own @ f, rtol=1e-5)


@pytest.mark.parametrize("shift", [-200.0, 200.0])
def test_probabilities_that_differ_beyond_measure_give_finite_numbers(key, shift):
    pi = policy(VECTORS, key)
    rows = batch(pi, key)
    rows = replaced(rows, log_prob=rows.log_prob + shift)
    assert jnp.isfinite(importance.evaluate(pi, rows))
    assert all(
        jnp.isfinite(x).all() for x in (gradient(importance, pi, rows).head.log_std, ratio(at(pi, rows.obs, 1), rows))
    )
