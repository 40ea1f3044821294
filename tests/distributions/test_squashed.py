"""The squashed Gaussian against quadrature over its own actions, in (−1, 1)."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from logpi.distributions.gaussian import Gaussian
from logpi.distributions.squashed import Squashed

STDS = (0.1, 1.0, 3.0)
MEANS = (0.0, 0.6, -2.0)


def one(mean, std):
    return Squashed(Gaussian(jnp.array([mean], float), jnp.log(jnp.array([std], float))))


def density(mean, std, u):
    """π(tanh u) at many u."""
    rows = lambda x: jnp.full((len(u), 1), x)
    p = Squashed(Gaussian(rows(float(mean)), rows(float(np.log(std)))))
    return np.exp(np.asarray(p.log_prob(jnp.asarray(u, jnp.float32)[:, None]), float))


def over_actions(mean, std, values):
    """∫ values(π, a) da over (−1, 1); the nodes stand densest at the ends, where the density may be infinite."""
    u = np.float32(np.linspace(mean - 9 * std, mean + 9 * std, 20_001)).astype(float)
    # da = (1 − tanh² u) du, in a form that does not cancel.
    return scipy.integrate.simpson(values(density(mean, std, u)) / np.cosh(u) ** 2, x=u)


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("mean", MEANS)
def test_the_density_integrates_to_one_over_the_actions(mean, std):
    assert abs(over_actions(mean, std, lambda p: p) - 1) < 1e-3


@pytest.mark.parametrize("std", STDS)
def test_the_density_integrates_to_one_on_a_plain_grid_of_actions(std):
    """No change of variables: −1 … 1 in equal steps, short of the ends by what they can hold."""
    a = np.linspace(-1, 1, 2_000_002)[1:-1]
    mass = scipy.integrate.trapezoid(density(0.0, std, np.arctanh(a)), a)
    beyond = 2 * scipy.stats.norm(0, std).sf(np.arctanh(a[-1]))
    assert abs(mass + beyond - 1) < 1e-3


@pytest.mark.parametrize(("std", "tolerance"), [(0.1, 1e-4), (1.0, 1e-4), (2.0, 3e-4), (3.0, 3e-3)])
@pytest.mark.parametrize("mean", MEANS)
def test_entropy_is_that_of_quadrature(mean, std, tolerance):
    want = over_actions(mean, std, lambda p: -np.where(p > 0, p * np.log(np.maximum(p, 1e-300)), 0))
    np.testing.assert_allclose(one(mean, std).entropy(), want, atol=tolerance)


def test_kl_is_that_of_quadrature_over_actions():
    u = np.float32(np.linspace(-12, 12, 20_001)).astype(float)
    p, q = density(0.3, 0.8, u), density(-0.2, 1.3, u)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(p > 1e-30, p * (np.log(p) - np.log(q)), 0) / np.cosh(u) ** 2
    np.testing.assert_allclose(one(0.3, 0.8).kl(one(-0.2, 1.3)), scipy.integrate.simpson(values, x=u), rtol=1e-3)


def test_kl_is_exactly_that_of_the_gaussians():
    p, q = one(0.3, 0.8), one(-0.2, 1.3)
    assert p.kl(q) == p.gaussian.kl(q.gaussian)


@pytest.mark.parametrize("u", [20.0, -20.0, 88.0])
def test_far_out_values_and_gradients_are_those_of_double_precision(u):
    """log(1 − tanh² u) = 2 log 2 − 2|u| there; 1 − tanh² u itself is 0 in single precision."""
    p = one(0.5, 1.5)
    value, (slope, score) = jax.value_and_grad(lambda u, p: p.log_prob(u), argnums=(0, 1))(jnp.array([u]), p)
    want = scipy.stats.norm(0.5, 1.5).logpdf(u) - 2 * np.log(2) + 2 * abs(u)
    np.testing.assert_allclose(value, want, rtol=1e-5)
    np.testing.assert_allclose(slope[0], -(u - 0.5) / 1.5**2 + 2 * np.sign(u), rtol=1e-5)
    np.testing.assert_allclose(score.gaussian.mean[0], (u - 0.5) / 1.5**2, rtol=1e-5)


def test_the_environment_gets_the_tanh_of_what_is_stored():
    p = Squashed(Gaussian(jnp.zeros((1000, 2)), jnp.full((1000, 2), jnp.log(3.0))))
    u = p.sample(jr.key(0))
    assert jnp.max(jnp.abs(u)) > 3
    np.testing.assert_allclose(p.to_env(u), np.tanh(u), rtol=1e-6)
    assert jnp.max(jnp.abs(p.to_env(u))) <= 1


def test_the_mode_is_the_median_of_the_actions():
    p = one(0.7, 0.5)
    u = Squashed(Gaussian(jnp.full((100_001, 1), 0.7), jnp.full((100_001, 1), jnp.log(0.5)))).sample(jr.key(0))
    np.testing.assert_allclose(np.median(np.tanh(u)), p.to_env(p.mode())[0], atol=5e-3)
