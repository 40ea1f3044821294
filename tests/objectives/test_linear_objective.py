"""ĝᵀθ: whatever improves an objective steps along a known gradient."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from builders import CHOICES, batch, gradient, policy

from logpi.objectives.linear import LinearObjective
from logpi.types import ravel
from logpi.updates.ascent import Ascent
from logpi.updates.natural import NaturalGradient
from logpi.updates.restricted import NormConstrainedStep


@pytest.fixture
def setting(key):
    """(a policy, rows it acted on, a vector as long as its θ)."""
    pi = policy(CHOICES, key)
    return pi, batch(pi, key), jr.normal(key, ravel(pi)[0].shape)


def test_its_gradient_is_the_vector_itself(setting):
    pi, rows, g = setting
    np.testing.assert_allclose(ravel(gradient(LinearObjective(g), pi, rows))[0], g, rtol=1e-6)
    np.testing.assert_allclose(LinearObjective(g).evaluate(pi, rows), jnp.vdot(g, ravel(pi)[0]), rtol=1e-5)


def moved(update, setting):
    """θ' − θ after one update."""
    pi, rows, g = setting
    new, _, info = update(LinearObjective(g), pi, rows, update.init(pi), jr.key(0))
    return np.asarray(ravel(new)[0] - ravel(pi)[0], float), info


def test_a_restricted_step_along_it_is_exactly_as_long_as_asked(setting):
    step, info = moved(NormConstrainedStep.with_length(0.25), setting)
    g = np.asarray(setting[2], float)
    np.testing.assert_allclose(np.linalg.norm(step), 0.25, rtol=1e-5)
    np.testing.assert_allclose(step / 0.25, g / np.linalg.norm(g), atol=1e-5)
    np.testing.assert_allclose(info["step_norm"], 0.25, rtol=1e-6)


def test_plain_ascent_adds_the_rate_times_the_vector(setting):
    np.testing.assert_allclose(moved(Ascent(optax.sgd, 0.1), setting)[0], 0.1 * np.asarray(setting[2]), atol=1e-6)


def test_a_natural_step_along_it_is_as_long_as_the_policy_allows(setting):
    step, info = moved(NaturalGradient(1e-4), setting)
    assert np.linalg.norm(step) > 0 and step @ np.asarray(setting[2], float) > 0
    np.testing.assert_allclose(info["predicted_improvement"], step @ np.asarray(setting[2], float), rtol=1e-2)
