"""Estimators that perturb θ, in the laboratory: their means are those of exact utilities, and met; what they cost."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import mostly_slow
from oracle.worlds import drawn

from logpi.errors import LogpiError
from logpi.lab.measure import compatible_pairs, measure
from logpi.lab.perturbed import PERTURBED, STEP, sample
from logpi.lab.problem import exact_gradient, problem
from logpi.lab.statistics import exactly, figures
from logpi.types import ravel

BATCHES, M = 2000, 4


@functools.cache
def world():
    """Three steps in a task drawn at random, with an end that may come sooner: six coordinates."""
    return problem(drawn(0, 3), seed=0)


@functools.cache
def sampled(name):
    """What 2000 populations make of it."""
    return sample(world(), name, M, BATCHES, jax.random.key(5))


def said(one, scale=1.0):
    """The figures of the laboratory."""
    gradient = np.asarray(exact_gradient(world()), np.float64)
    return figures(scale * one.estimates, exactly(gradient), one.mean.value, one.given)


NAMES = ["finite-difference-central", "evolution-strategies"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", mostly_slow(PERTURBED, NAMES))
def test_the_sampled_mean_is_within_four_standard_errors_of_the_exact_one(name):
    one = sampled(name)
    found = said(one)
    assert abs(found.z) <= 4 and found.p > 1e-4
    assert one.estimates.shape == (BATCHES, 6) and found.variance_low < found.variance < found.variance_high


@pytest.mark.thorough
def test_what_is_a_little_too_much_is_seen():
    """By as much as ten standard errors are."""
    one = sampled("finite-difference-central")
    share = 10 * said(one).bias_error
    assert abs(said(one, 1 + share).z) > 4


@functools.cache
def along():
    """U at a row of flat logits."""
    unravel = ravel(world().policy.network)[1]
    return jax.jit(jax.vmap(lambda row: world().timeless.utility(unravel(row))))


def test_the_mean_of_finite_differences_is_that_of_the_exact_utility():
    theta = ravel(world().policy)[0]
    moves = STEP * jnp.eye(theta.size)
    want = (along()(theta[None] + moves) - along()(theta[None] - moves)) / (2 * STEP)
    np.testing.assert_allclose(sampled("finite-difference-central").mean.value, want, atol=1e-5)


@pytest.mark.thorough
def test_the_mean_of_evolution_strategies_is_the_gradient_of_the_smoothed_utility():
    """E ĝ = E[U(θ + σε) ε]/σ, here by 200,000 other draws; the tangent taken out, 2000 batches say it to a per cent."""
    theta, gradient = ravel(world().policy)[0], exact_gradient(world())
    moves = STEP * jax.random.normal(jax.random.key(9), (200_000, theta.size))
    bent = along()(theta[None] + moves) - along()(theta[None] - moves) - 2 * moves @ gradient
    want = np.asarray(gradient) + np.mean(np.asarray(bent[:, None] * moves), axis=0) / (2 * STEP**2)
    got = sampled("evolution-strategies").mean.value
    assert np.linalg.norm(got - want) < 0.01 * np.linalg.norm(gradient)
    assert np.linalg.norm(want - gradient) > 0.02 * np.linalg.norm(gradient)


def test_given_the_perturbations_less_varies_than_in_all():
    """What rollouts add to the exact utilities of the perturbations drawn, and these to the gradient."""
    one = sampled("evolution-strategies")
    noise, all_of_it = (np.sum(np.var(x, axis=0)) for x in (one.estimates - one.given, one.estimates))
    assert 0.02 * all_of_it < noise < 0.98 * all_of_it
    np.testing.assert_allclose(all_of_it, noise + np.sum(np.var(one.given, axis=0)), rtol=0.1)


def test_it_costs_an_episode_of_each_member():
    """Two a coordinate, one a coordinate and θ's own, and as many as a batch has."""
    members = lambda name, m: PERTURBED[name].method(world(), m).population
    assert [members(name, M) for name in PERTURBED] == [7, 12, 13, 24, 4]
    assert members("evolution-strategies", 5) == 6
    assert BATCHES * 12 < sampled("finite-difference-central").steps <= BATCHES * 12 * 3


def test_where_there_is_no_oracle_they_are_left_out_or_refused():
    assert compatible_pairs(["q", "regression"], ["none", "mean"]) == [("q", "none"), ("regression", "none")]
    with pytest.raises(LogpiError, match="logpi:CartPole-v1 comes without the oracle that regression would need"):
        measure("logpi:CartPole-v1", estimators=["regression"], baselines=["none"])
