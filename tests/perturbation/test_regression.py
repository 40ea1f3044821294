"""Least squares on random perturbations: exact where U is linear, of least norm where much would fit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact import NAMES, from_function, problem, repeated, utilities, world, zeroth_order
from helpers import double_precision, mostly_slow, relative_error

from logpi.perturbation.differences import central_differences, forward_differences
from logpi.perturbation.directions import gaussian, orthogonal
from logpi.perturbation.regression import Regression

SLOPE = np.random.default_rng(0).normal(size=7)


def linear(rows):
    """U with ∇U = SLOPE everywhere, of rows of θ."""
    return 3 + rows @ jnp.asarray(SLOPE, rows.dtype)


@pytest.mark.thorough_after(2)
@pytest.mark.parametrize("draw", [gaussian, orthogonal])
@pytest.mark.parametrize("pairing", [central_differences, forward_differences])
@pytest.mark.parametrize("number", [7, 12])
def test_exact_where_the_utility_is_linear(draw, pairing, number):
    with double_precision():
        gradient, _, info = from_function(Regression(0.3, draw), linear, jnp.ones(7), pairing, number)
        np.testing.assert_allclose(gradient, SLOPE, rtol=1e-10)
        assert info["rank"] == 7


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("name", NAMES)
def test_its_error_on_finite_problems_falls_with_the_square_of_the_scale(name):
    with double_precision():
        mdp, utility, theta = world(name)
        exact = np.asarray(mdp.gradient(theta.reshape(mdp.states, mdp.actions))).ravel()
        key, number = jr.key(5), 2 * theta.size
        estimates = [
            from_function(Regression(s), utility, theta, central_differences, number, key)[0] for s in (1e-2, 1e-3)
        ]
        errors = [relative_error(estimate, exact) for estimate in estimates]
        np.testing.assert_allclose(np.log10(errors[0] / errors[1]), 2, atol=0.1)
        assert errors[1] < 1e-4


def solved(kept, returns):
    """(ĝ, variance, figures) of given displacements and differences."""
    plus = jnp.asarray(returns)[None]
    return eqx.filter_jit(Regression(1.0))(jnp.asarray(kept), plus, -plus, 2.0)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_equals_numpys_least_squares_of_least_norm(shape):
    rng = np.random.default_rng(1)
    with double_precision():
        kept, returns = rng.normal(size=shape), rng.normal(size=shape[0])
        gradient, variance, info = solved(kept, returns)
        want, _, rank, singular = np.linalg.lstsq(kept, returns, rcond=None)
        np.testing.assert_allclose(gradient, want, rtol=1e-9)
        assert int(info["rank"]) == int(rank)
        np.testing.assert_allclose(info["condition"], singular[0] / singular[-1], rtol=1e-9)
        assert np.isnan(variance).all() == (shape[0] <= shape[1])


def test_directions_that_repeat_lower_the_rank_and_are_told():
    rng = np.random.default_rng(2)
    with double_precision():
        kept = rng.normal(size=(3, 5))[[0, 1, 2, 0, 1, 2, 0]]
        returns = rng.normal(size=7)
        gradient, variance, info = solved(kept, returns)
        np.testing.assert_allclose(gradient, np.linalg.lstsq(kept, returns, rcond=None)[0], rtol=1e-9)
        assert info["rank"] == 3
        inverse = np.linalg.pinv(kept)
        residual, leverage = returns - kept @ gradient, np.diag(kept @ inverse)
        np.testing.assert_allclose(variance, inverse**2 @ (residual**2 / (1 - leverage)), rtol=1e-8)
        singular = np.linalg.svd(kept, compute_uv=False)
        np.testing.assert_allclose(info["condition"], singular[0] / singular[2], rtol=1e-9)


def test_nothing_moved_means_no_gradient_and_no_nan():
    gradient, _, info = solved(np.zeros((3, 2), np.float32), np.ones(3, np.float32))
    np.testing.assert_array_equal(gradient, [0.0, 0.0])
    assert info["rank"] == 0


def test_fewer_directions_than_coordinates_give_the_projection_of_the_gradient():
    with double_precision():
        key = jr.key(3)
        gradient = from_function(Regression(0.3), linear, jnp.ones(7), central_differences, 3, key)[0]
        seen = np.asarray(gaussian(key, 3, 7))
        np.testing.assert_allclose(gradient, seen.T @ np.linalg.solve(seen @ seen.T, seen @ SLOPE), rtol=1e-8)


def test_antithetic_pairs_cancel_every_even_term():
    """U = gᵀθ + θᵀAθ + (qᵀθ)⁴ about 0: its odd part is linear, so pairs see g exactly; forward differences do not."""
    rng = np.random.default_rng(4)
    with double_precision():
        square, quartic = jnp.asarray(rng.normal(size=(7, 7))), jnp.asarray(rng.normal(size=7))
        bent = lambda rows: linear(rows) + jnp.sum(rows @ square * rows, axis=1) + (rows @ quartic) ** 4
        gradient = from_function(Regression(0.5), bent, jnp.zeros(7), central_differences, 10)[0]
        np.testing.assert_allclose(gradient, SLOPE, rtol=1e-9)
        assert (
            relative_error(from_function(Regression(0.5), bent, jnp.zeros(7), forward_differences, 10)[0], SLOPE) > 0.1
        )


@pytest.mark.parametrize("noise", ["equal", "growing"])
def test_standard_errors_are_as_wide_as_they_should_be(noise):
    """Also where noise grows with the length of the displacement."""
    kept = 0.3 * gaussian(jr.key(6), 30, 7)
    size = jnp.ones(30) if noise == "equal" else jnp.linalg.norm(kept, axis=1) ** 2
    draws = size[None] * jr.normal(jr.key(7), (3000, 30))

    @jax.jit
    @jax.vmap
    def estimates(draw):
        plus = (kept @ jnp.asarray(SLOPE, float) + draw)[None]
        return Regression(0.3)(kept, plus, -plus, 2.0)[:2]

    gradient, variance = (np.asarray(x, float) for x in estimates(draws))
    errors = gradient - SLOPE
    assert np.abs(errors.mean(axis=0) / errors.std(axis=0) * np.sqrt(3000)).max() < 4
    np.testing.assert_allclose(np.sqrt(variance.mean(axis=0)), errors.std(axis=0), rtol=0.08)


SAMPLED = mostly_slow(NAMES, 0)


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_it_is_within_its_error_bars(name):
    """Small scales are nearly linear, so the mean is the gradient within noise and what curvature leaves."""
    mdp, _, policy = problem(name, 2)
    members = 4 * policy.logits.size
    environment = problem(name, members)[1]
    algorithm = zeroth_order(Regression(0.3), members, episodes=16)
    estimates, info = repeated(algorithm, environment, algorithm.init(policy), jr.split(jr.key(8), 200))
    exact = np.asarray(mdp.gradient(policy.logits)).ravel()
    estimates = np.asarray(estimates, float)
    along = estimates @ exact / np.linalg.norm(exact)
    smooth = smoothed(mdp, policy, 0.3, members // 2) @ exact / np.linalg.norm(exact)
    error = np.hypot(along.std() / np.sqrt(200), smooth.std() / np.sqrt(len(smooth)))
    assert abs(along.mean() - smooth.mean()) <= 4 * error
    spread = np.square(estimates - estimates.mean(axis=0)[None]).sum(axis=1).mean()
    np.testing.assert_allclose(np.mean(np.square(info["standard_error"])), spread, rtol=0.2)


def smoothed(mdp, policy, scale, number):
    """Estimates by the exact utility, over 200 draws of the directions: what the sampled ones are held to."""
    keys = jr.split(jr.key(9), 200)
    one = lambda key: from_function(
        Regression(scale), lambda rows: utilities(mdp, rows), policy.logits.ravel(), central_differences, number, key
    )
    return np.asarray([one(key)[0] for key in keys], float)
