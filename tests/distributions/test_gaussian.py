"""The diagonal Gaussian against SciPy, quadrature, and its own samples."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from logpi.distributions.gaussian import Gaussian
from logpi.distributions.protocol import Distribution

RNG = np.random.default_rng(2)
MEAN, LOG_STD, OTHER_MEAN, OTHER_LOG_STD = (jnp.asarray(0.7 * RNG.normal(size=(6, 3)), jnp.float32) for _ in range(4))
P, Q = Gaussian(MEAN, LOG_STD), Gaussian(OTHER_MEAN, OTHER_LOG_STD)
NORMAL = scipy.stats.norm(np.asarray(MEAN, float), np.exp(np.asarray(LOG_STD, float)))
OTHER = scipy.stats.norm(np.asarray(OTHER_MEAN, float), np.exp(np.asarray(OTHER_LOG_STD, float)))
ACTION = jnp.asarray(RNG.normal(size=(6, 3)), jnp.float32)


def one(mean, std):
    """A Gaussian over one number."""
    return Gaussian(jnp.array([mean]), jnp.log(jnp.array([std])))


def drawn(row, count, seed=0):
    """Many samples from one row of P."""

    def draw(key):
        return Gaussian(*(jnp.broadcast_to(x[row], (count, 3)) for x in (MEAN, LOG_STD))).sample(key)

    return jax.jit(draw)(jr.key(seed))


def test_offers_all_that_a_distribution_offers():
    assert isinstance(P, Distribution)


def test_log_prob_is_that_of_scipy():
    want = NORMAL.logpdf(np.asarray(ACTION, float)).sum(axis=-1)
    np.testing.assert_allclose(P.log_prob(ACTION), want, rtol=1e-5)


@pytest.mark.parametrize("std", [0.1, 1.0, 3.0])
def test_the_density_integrates_to_one(std):
    grid = jnp.linspace(0.4 - 12 * std, 0.4 + 12 * std, 4001)[:, None]
    p = Gaussian(jnp.full((4001, 1), 0.4), jnp.full((4001, 1), np.log(std)))
    mass = scipy.integrate.simpson(np.exp(p.log_prob(grid), dtype=float), x=np.asarray(grid[:, 0], float))
    np.testing.assert_allclose(mass, 1, atol=1e-5)


def test_entropy_is_that_of_scipy():
    np.testing.assert_allclose(P.entropy(), NORMAL.entropy().sum(axis=-1), rtol=1e-5)


def test_kl_is_that_of_quadrature():
    def along(mean, std, other_mean, other_std):
        p, q = scipy.stats.norm(mean, std), scipy.stats.norm(other_mean, other_std)
        f = lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x))
        return scipy.integrate.quad(f, mean - 12 * std, mean + 12 * std, epsabs=1e-10, limit=200)[0]

    parameters = *NORMAL.args, *OTHER.args
    np.testing.assert_allclose(P.kl(Q), np.vectorize(along)(*parameters).sum(axis=-1), rtol=1e-5)


def test_kl_to_itself_is_zero():
    np.testing.assert_array_equal(P.kl(P), 0.0)


def test_kl_is_positive_between_different_distributions():
    assert jnp.all(P.kl(Q) > 0) and jnp.all(Q.kl(P) > 0)


def test_kl_averages_under_self_not_under_other():
    narrow, wide = one(0.0, 1.0), one(0.0, 2.0)
    np.testing.assert_allclose(narrow.kl(wide), np.log(2) + 1 / 8 - 1 / 2, rtol=1e-5)
    np.testing.assert_allclose(wide.kl(narrow), -np.log(2) + 4 / 2 - 1 / 2, rtol=1e-5)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("row", range(3))
def test_kl_is_the_mean_log_ratio_of_samples(row):
    a = np.asarray(drawn(row, 1_000_000, seed=row), float)
    p, q = (scipy.stats.norm(d.args[0][row], d.args[1][row]) for d in (NORMAL, OTHER))
    log_ratio = (p.logpdf(a) - q.logpdf(a)).sum(axis=-1)
    error = log_ratio.std() / np.sqrt(len(log_ratio))
    assert abs(log_ratio.mean() - P.kl(Q)[row]) < 4 * error


def test_a_tiny_kl_is_not_lost_to_rounding():
    # In float32, σ²/σ'² − 1 − log σ²/σ'² by its textbook formula loses a relative change of 1e-4 altogether.
    np.testing.assert_allclose(one(0.0, 1.0).kl(Gaussian(jnp.zeros(1), jnp.array([1e-4]))), 1e-8, rtol=1e-2, atol=0)
    np.testing.assert_allclose(one(0.0, 1.0).kl(one(1e-4, 1.0)), 0.5e-8, rtol=1e-5)


def test_the_mean_score_is_zero():
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    a = P.mean[0][None] + jnp.exp(P.log_std[0])[None] * jnp.asarray(nodes, jnp.float32)[:, None]
    score = jax.vmap(jax.grad(lambda p, a: p.log_prob(a)), (None, 0))(Gaussian(MEAN[0], LOG_STD[0]), a)
    weights /= weights.sum()
    np.testing.assert_allclose(weights @ np.asarray(score.mean), 0, atol=1e-5)
    np.testing.assert_allclose(weights @ np.asarray(score.log_std), 0, atol=1e-5)


def test_the_score_in_mean_and_log_std_is_z_over_std_and_z_squared_less_one():
    p = one(0.3, 2.0)
    score = jax.grad(lambda p: p.log_prob(jnp.array([1.3])))(p)
    np.testing.assert_allclose(score.mean, 0.5 / 2.0, rtol=1e-5)
    np.testing.assert_allclose(score.log_std, 0.5**2 - 1, rtol=1e-5)


def test_the_mean_of_f_times_score_is_the_gradient_of_the_mean_of_f():
    # E[a²] = μ² + σ², so ∂/∂μ = 2μ and ∂/∂log σ = 2σ².
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    a = jnp.asarray(0.5 + 1.5 * nodes, jnp.float32)[:, None]
    score = jax.vmap(jax.grad(lambda p, a: p.log_prob(a)), (None, 0))(one(0.5, 1.5), a)
    weighted = weights / weights.sum() * np.asarray(a[:, 0]) ** 2
    np.testing.assert_allclose(weighted @ np.asarray(score.mean), 2 * 0.5, rtol=1e-5)
    np.testing.assert_allclose(weighted @ np.asarray(score.log_std), 2 * 1.5**2, rtol=1e-5)


def test_samples_have_the_mean_and_the_covariance():
    count = 1_000_000
    z = (np.asarray(drawn(0, count), float) - NORMAL.args[0][0]) / NORMAL.args[1][0]
    assert np.all(abs(z.mean(axis=0)) < 4 / np.sqrt(count))
    # The variance of z² is 2, that of z_i z_j is 1.
    error = np.sqrt((1 + np.eye(3)) / count)
    assert np.all(abs(z.T @ z / count - np.eye(3)) < 4 * error)


def test_samples_are_normal():
    z = (np.asarray(drawn(1, 100_000), float) - NORMAL.args[0][1]) / NORMAL.args[1][1]
    assert all(scipy.stats.kstest(z[:, d], "norm").pvalue > 1e-4 for d in range(3))


def test_a_sample_is_pushed_noise(key):
    np.testing.assert_array_equal(P.sample(key), P.push(P.noise(key)))


def test_noise_does_not_depend_on_the_parameters(key):
    np.testing.assert_array_equal(P.noise(key), Q.noise(key))


def test_the_mode_has_the_highest_density(key):
    assert jnp.all(P.log_prob(P.mode()) > P.log_prob(P.mode() + 0.1))
    assert jnp.all(P.log_prob(P.mode()) > P.log_prob(P.mode() - 0.1))


def test_the_environment_gets_the_action_itself(key):
    action = P.sample(key)
    assert P.to_env(action) is action


def test_a_batch_is_its_rows_under_vmap_and_jit():
    figures = lambda p, q, a: (p.log_prob(a), p.entropy(), p.kl(q), p.mode())
    rows = jax.jit(jax.vmap(figures))(P, Q, ACTION)
    for got, want in zip(rows, figures(P, Q, ACTION), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_kl_vanishes_only_where_both_are_equal():
    slope = jax.grad(lambda q: jnp.sum(P.kl(q)))
    np.testing.assert_allclose(slope(P).mean, 0, atol=1e-6)
    np.testing.assert_allclose(slope(P).log_std, 0, atol=1e-6)
    want = (OTHER.args[0] - NORMAL.args[0]) / OTHER.args[1] ** 2
    np.testing.assert_allclose(slope(Q).mean, want, rtol=1e-4)


def test_importance_weights_turn_one_mean_into_another():
    """E_p[(q/p) a²] = E_q[a²] = μ_q² + σ_q², by quadrature under p, which is the wider of the two."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    p, q = one(0.5, 1.5), one(0.8, 1.0)
    a = jnp.asarray(0.5 + 1.5 * nodes, jnp.float32)[:, None]
    rho = jnp.exp(jax.vmap(q.log_prob)(a) - jax.vmap(p.log_prob)(a))
    mean = lambda f: float(weights / weights.sum() @ np.asarray(rho * f))
    np.testing.assert_allclose(mean(jnp.ones(60)), 1, rtol=1e-4)
    np.testing.assert_allclose(mean(a[:, 0] ** 2), 0.8**2 + 1.0**2, rtol=1e-4)
