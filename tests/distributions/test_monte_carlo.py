"""Means under any distribution: their gradients by the score function, and other means by importance sampling."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.monte_carlo import importance_sampled_mean, score_function_gradient

LOGITS, OTHER = jnp.array([0.3, -1.0, 0.0, 0.8, -0.2]), jnp.array([0.1, 0.0, -0.5, -0.3, 0.2])
REWARDS = jnp.array([1.0, -2.0, 0.5, 3.0, -1.0])
SAMPLES = 200_000
FIVE_ERRORS = 5 * 3.0 / SAMPLES**0.5  # of a mean of numbers of size 3 at most


def test_the_gradient_of_a_mean_over_choices_needs_no_derivative_of_f():
    exact = jax.grad(lambda z: jax.nn.softmax(z) @ REWARDS)(LOGITS)
    found = score_function_gradient(Categorical, LOGITS, lambda a: REWARDS[a], jr.key(0), SAMPLES)
    np.testing.assert_allclose(found, exact, atol=FIVE_ERRORS)


def test_the_gradient_of_a_gaussian_s_second_moment():
    """E x² = μ² + σ²: 2μ in the mean, 2σ² in log σ."""
    theta = {"mean": jnp.array([0.5]), "log_std": jnp.array([-0.3])}
    family = lambda theta: Gaussian(theta["mean"], theta["log_std"])
    found = score_function_gradient(family, theta, lambda x: x[0] ** 2, jr.key(1), SAMPLES)
    np.testing.assert_allclose(found["mean"], [2 * 0.5], atol=0.03)
    np.testing.assert_allclose(found["log_std"], [2 * np.exp(-0.6)], atol=0.03)


def test_a_constant_f_has_a_gradient_of_mean_zero():
    found = score_function_gradient(Categorical, LOGITS, lambda a: jnp.ones(()), jr.key(2), SAMPLES)
    np.testing.assert_allclose(found, 0, atol=FIVE_ERRORS)


def test_one_distribution_s_samples_give_another_s_mean():
    found = importance_sampled_mean(Categorical(OTHER), Categorical(LOGITS), lambda a: REWARDS[a], jr.key(3), SAMPLES)
    exact = jax.nn.softmax(OTHER) @ REWARDS
    np.testing.assert_allclose(found, exact, atol=3 * FIVE_ERRORS)
    assert abs(exact - jax.nn.softmax(LOGITS) @ REWARDS) > 10 * FIVE_ERRORS  # the weights matter
