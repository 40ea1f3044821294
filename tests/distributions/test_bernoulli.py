"""Switches against SciPy and sums over all their settings."""

import itertools

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import scipy.special
import scipy.stats

from logpi.distributions.bernoulli import Bernoulli

LOGITS, OTHER = (jnp.asarray(2 * np.random.default_rng(s).normal(size=(5, 3)), jnp.float32) for s in (1, 2))
ON, OTHER_ON = (scipy.special.expit(np.asarray(z, float)) for z in (LOGITS, OTHER))
P, Q = Bernoulli(LOGITS), Bernoulli(OTHER)
SETTINGS = list(itertools.product([0, 1], repeat=3))


def test_log_prob_is_that_of_scipy():
    for setting in SETTINGS:
        got = P.log_prob(jnp.broadcast_to(jnp.array(setting), (5, 3)))
        np.testing.assert_allclose(got, scipy.stats.bernoulli(ON).logpmf(setting).sum(axis=-1), rtol=1e-4, atol=1e-6)


def test_entropy_is_that_of_scipy():
    np.testing.assert_allclose(P.entropy(), scipy.stats.bernoulli(ON).entropy().sum(axis=-1), rtol=1e-5)


def test_kl_is_the_sum_over_all_settings():
    p, q = (np.stack([scipy.stats.bernoulli(on).pmf(s).prod(axis=-1) for s in SETTINGS]) for on in (ON, OTHER_ON))
    np.testing.assert_allclose(P.kl(Q), scipy.stats.entropy(p, q, axis=0), rtol=1e-4)


def test_switches_are_on_as_often_as_they_should_be():
    action = np.asarray(Bernoulli(jnp.broadcast_to(LOGITS[0], (200_000, 3))).sample(jr.key(0)), float)
    assert set(np.unique(action)) == {0, 1}
    assert np.all(abs(action.mean(axis=0) - ON[0]) < 4 * np.sqrt(ON[0] * (1 - ON[0]) / len(action)))
    assert np.all(abs(np.corrcoef(action.T) - np.eye(3)) < 4 / np.sqrt(len(action)) + 1e-9)


def test_the_mode_is_on_where_on_is_likelier():
    np.testing.assert_array_equal(P.mode(), ON > 0.5)


def test_huge_logits_give_finite_values():
    p, q = (Bernoulli(jnp.array([x, -x])) for x in (200.0, -200.0))
    # e⁻²⁰⁰ is 0 in float32; in doubles it is 10⁻⁸⁷
    np.testing.assert_allclose([p.entropy(), p.log_prob(jnp.array([1, 0]))], 0, atol=1e-80)
    np.testing.assert_allclose([p.kl(q), -p.log_prob(jnp.array([0, 1]))], 400, rtol=1e-6)
