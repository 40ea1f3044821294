"""Random directions weighed by returns: the gradient of U smoothed by a Gaussian, and least squares in the limit."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact import NAMES, from_function, world
from helpers import double_precision, relative_error

from logpi.perturbation.differences import central_differences, forward_differences
from logpi.perturbation.directions import gaussian, orthogonal
from logpi.perturbation.evolution import EvolutionStrategies, mean_and_variance
from logpi.perturbation.fitness_shaping import centered_ranks
from logpi.perturbation.regression import Regression


def by_definition(theta, utility, scale, directions, antithetic):
    """1/(2mσ) Σ [U(θ + σε) − U(θ − σε)] ε, or 1/(mσ) Σ [U(θ + σε) − U(θ)] ε, in a loop."""
    total, utility = np.zeros(theta.size), lambda row, rows=utility: float(rows(row[None])[0])
    for epsilon in np.asarray(directions):
        other = utility(theta - scale * epsilon) if antithetic else utility(theta)
        total += (utility(theta + scale * epsilon) - other) * epsilon
    return total / (len(directions) * scale * (2 if antithetic else 1))


@pytest.mark.parametrize("pairing", [central_differences, forward_differences])
def test_equals_the_definition(pairing):
    with double_precision():
        key = jr.key(1)
        _, utility, theta = world("random")
        got = from_function(EvolutionStrategies(0.2), utility, theta, pairing, 5, key)[0]
        want = by_definition(theta, utility, 0.2, gaussian(key, 5, theta.size), pairing is central_differences)
        np.testing.assert_allclose(got, want, rtol=1e-9)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("blocks", [1, 3])
def test_whole_blocks_of_orthogonal_directions_are_least_squares(blocks):
    with double_precision():
        _, utility, theta = world("random")
        both = (EvolutionStrategies(0.1, orthogonal), Regression(0.1, orthogonal))
        number, key = blocks * theta.size, jr.key(2)
        one, other = (
            from_function(estimator, utility, theta, central_differences, number, key)[0] for estimator in both
        )
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.thorough_after(2)
@pytest.mark.parametrize("name", NAMES)
def test_orthogonal_directions_of_small_scale_give_the_gradient(name):
    with double_precision():
        mdp, utility, theta = world(name)
        exact = np.asarray(mdp.gradient(theta.reshape(mdp.states, mdp.actions))).ravel()
        assert relative_error(from_function(EvolutionStrategies(1e-3, orthogonal), utility, theta)[0], exact) < 1e-3


def test_its_mean_is_the_gradient_of_the_smoothed_utility_and_its_error_is_known():
    """U = sin(kᵀθ), for which E U(θ + σε) = exp(−σ²‖k‖²/2) sin(kᵀθ)."""
    k, theta, scale = jnp.array([0.7, -1.1, 0.4]), jnp.array([0.2, 0.3, -0.5]), 0.6
    utility = lambda rows: jnp.sin(rows @ k)
    one = lambda key: from_function(EvolutionStrategies(scale), utility, theta, central_differences, 20, key)[:2]
    estimates, variances = (np.asarray(x, float) for x in jax.jit(jax.vmap(one))(jr.split(jr.key(3), 4000)))
    want = np.exp(-(scale**2) * float(k @ k) / 2) * np.cos(float(k @ theta)) * np.asarray(k)
    z = (estimates.mean(axis=0) - want) / (estimates.std(axis=0) / np.sqrt(4000))
    assert np.abs(z).max() < 4
    np.testing.assert_allclose(variances.mean(axis=0), estimates.var(axis=0), rtol=0.1)


def test_ranks_make_it_indifferent_to_how_returns_are_scaled():
    _, utility, theta = world("chain")
    bent = lambda rows: jnp.exp(5 * utility(rows)) - 3
    estimator = EvolutionStrategies(0.2, shaping=centered_ranks)
    one, other = (from_function(estimator, function, theta)[0] for function in (utility, bent))
    np.testing.assert_array_equal(one, other)
    assert np.abs(one).max() > 0


def test_its_variance_is_that_of_a_mean_of_independent_terms():
    terms = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    mean, variance = mean_and_variance(jnp.asarray(terms))
    np.testing.assert_allclose(mean, terms.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, terms.var(axis=0, ddof=1) / 5, rtol=1e-5)


def test_one_direction_tells_nothing_of_the_error():
    _, utility, theta = world("chain")
    assert np.isnan(from_function(EvolutionStrategies(0.2), utility, theta, central_differences, 1)[1]).all()
