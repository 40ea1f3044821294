"""Quotients of differences: exact utilities give exact errors, sampled ones errors within their bars."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact import NAMES, from_function, iterated, problem, repeated, same, step, world, zeroth_order
from helpers import double_precision, mostly_slow, relative_error

from logpi.core.undefined import UNDEFINED
from logpi.perturbation.differences import central_differences, forward_differences
from logpi.perturbation.finite_difference import FiniteDifference


@pytest.mark.thorough_after(4)
@pytest.mark.parametrize(("pairing", "order"), [(forward_differences, 1), (central_differences, 2)])
@pytest.mark.parametrize("name", NAMES)
def test_the_error_falls_as_the_step_to_the_power_of_its_order(name, pairing, order):
    with double_precision():
        mdp, utility, theta = world(name)
        exact = np.asarray(mdp.gradient(theta.reshape(mdp.states, mdp.actions))).ravel()
        steps = np.array([1e-1, 1e-2, 1e-3])
        estimates = [from_function(FiniteDifference(h), utility, theta, pairing)[0] for h in steps]
        errors = [relative_error(estimate, exact) for estimate in estimates]
        slopes = np.diff(np.log(errors)) / np.diff(np.log(steps))
        np.testing.assert_allclose(slopes, order, atol=0.1)
        assert errors[-1] < 2 * 10.0 ** (-3 * order)


def quotients(mdp, policy, delta):
    """[U(θ + δe_j) − U(θ − δe_j)] / 2δ from exact utilities: what the sampled estimate is unbiased for."""
    shape = policy.logits.shape
    moves = delta * jnp.eye(policy.logits.size).reshape(-1, *shape)
    utility = jax.jit(jax.vmap(lambda move: mdp.utility(policy.logits + move)))
    return np.asarray(utility(moves) - utility(-moves)) / (2 * delta)


SAMPLED = mostly_slow(NAMES, 0)


@functools.cache
def samples(name, group):
    """(MDP, policy, 200 estimates, their figures) from rollouts, 16 episodes a member."""
    size = problem(name, 2)[2].logits.size
    mdp, environment, policy = problem(name, 2 * size)
    algorithm = zeroth_order(FiniteDifference(0.5), 2 * size, episodes=16, group=group)
    return mdp, policy, *repeated(algorithm, environment, algorithm.init(policy), jr.split(jr.key(1), 200))


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_it_is_within_its_error_bars_and_they_are_as_wide_as_they_should_be(name):
    mdp, policy, estimates, info = samples(name, 2)
    errors = np.asarray(estimates, float) - quotients(mdp, policy, 0.5)[None]
    claimed = np.sqrt(np.mean(np.square(info["standard_error"])))
    z = errors.mean(axis=0) / np.maximum(errors.std(axis=0, ddof=1) / np.sqrt(200), 1e-9)
    assert np.abs(z).max() <= 4
    np.testing.assert_allclose(np.sqrt((errors**2).sum(axis=1).mean()), claimed, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLED)
def test_common_random_numbers_make_differences_less_noisy(name):
    """Shared starts, transitions and noise leave less than half of the variance, and the same mean."""
    alone, together = (np.asarray(samples(name, group)[2], float) for group in (1, 2))
    spread = [estimates.var(axis=0) for estimates in (alone, together)]
    assert spread[1].sum() < 0.5 * spread[0].sum()
    apart = np.abs(alone.mean(axis=0) - together.mean(axis=0))
    assert (apart <= 4 * np.sqrt(sum(spread) / 200) + 1e-9).all()


@pytest.mark.thorough
def test_more_coordinates_than_environments_are_tried_in_turn_and_one_step_follows():
    """Six coordinates four at a time are what six at once are, on the same random numbers; the last two add nothing."""
    key = jr.key(3)
    part, whole = (
        (zeroth_order(FiniteDifference(0.3), n, episodes=3, group=n), problem("chain", n)[1]) for n in (8, 12)
    )
    state = part[0].init(problem("chain", 2)[2])
    first, early = iterated(*part, state, key)
    second, late = iterated(*part, first, key)
    at_once = whole[0].init(state.policy)
    want, figures = iterated(*whole, at_once, key)
    assert same(state, first) and early["standard_error"] == early["step_norm"] == UNDEFINED
    assert (int(early["directions"]), int(late["directions"]), int(second.opt.done)) == (4, 6, 0)
    np.testing.assert_allclose(step(state, second), step(at_once, want), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(late["standard_error"], figures["standard_error"], rtol=1e-3)
    length = np.linalg.norm(step(state, second))
    np.testing.assert_allclose(late["signal_to_noise"], length / late["standard_error"], rtol=1e-4)


def test_it_is_the_mean_of_the_quotients_and_its_variance_that_of_such_a_mean():
    draw = np.random.default_rng(0)
    plus, minus = draw.normal(size=(2, 5, 3)).astype(np.float32)
    kept = np.float32([[0.5], [0.25], [1.0]])
    gradient, variance, _ = eqx.filter_jit(FiniteDifference(0.5))(kept, plus, minus, 2.0)
    quotient = (plus - minus) / (2 * kept[:, 0])
    np.testing.assert_allclose(gradient, quotient.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, quotient.var(axis=0, ddof=1) / 5, rtol=1e-5)


def test_one_episode_a_member_tells_nothing_of_the_error():
    plus, minus, kept = jnp.ones((1, 3)), jnp.zeros((1, 3)), jnp.full((3, 1), 0.5)
    gradient, variance, _ = eqx.filter_jit(FiniteDifference(0.5))(kept, plus, minus, 2.0)
    np.testing.assert_array_equal(gradient, [1.0, 1.0, 1.0])
    assert np.isnan(variance).all()


def test_two_episodes_have_a_variance_and_one_has_none():
    """Quotients 1 and 3 in the first coordinate, 2 and 2 in the second: mean 2, variance 2 of one, 1 of the mean."""
    plus, minus = jnp.array([[0.2, 0.4], [0.6, 0.4]]), jnp.zeros((2, 2))
    gradient, variance, _ = FiniteDifference(0.1)(jnp.full((2, 1), 0.1), plus, minus, 2.0)
    np.testing.assert_allclose(gradient, [2, 2], rtol=1e-6)
    np.testing.assert_allclose(variance, [1, 0], atol=1e-6)
    assert np.isnan(FiniteDifference(0.1)(jnp.full((2, 1), 0.1), plus[:1], minus[:1], 2.0)[1]).all()
