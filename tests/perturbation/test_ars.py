"""Augmented random search: the paper's step, in a loop by hand."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact import from_function, world
from helpers import double_precision

from logpi.errors import LogpiError
from logpi.perturbation.ars import ARS
from logpi.perturbation.differences import central_differences
from logpi.perturbation.directions import gaussian


def by_definition(theta, utility, scale, directions, top):
    """1/(b σ_R) Σ over the b best of [U(θ + νε) − U(θ − νε)] ε."""
    one = lambda row: float(utility(row[None])[0])
    returns = [(one(theta + scale * e), one(theta - scale * e)) for e in directions]
    best = sorted(range(len(directions)), key=lambda i: -max(returns[i]))[:top]
    deviation = np.std([r for i in best for r in returns[i]])
    total = sum((returns[i][0] - returns[i][1]) * np.asarray(directions[i]) for i in best)
    return total / (top * deviation)


@pytest.mark.parametrize("top", [2, 5, None])
def test_equals_the_definition(top):
    with double_precision():
        key = jr.key(1)
        _, utility, theta = world("grid")
        got = from_function(ARS(0.3, top), utility, theta, central_differences, 5, key)[0]
        want = by_definition(theta, utility, 0.3, gaussian(key, 5, theta.size), top or 5)
        np.testing.assert_allclose(got, want, rtol=1e-8)


def test_equal_returns_make_no_step():
    gradient = from_function(ARS(0.3, 2), lambda rows: 0 * rows[:, 0] + 7, jnp.ones(4))[0]
    np.testing.assert_array_equal(gradient, np.zeros(4))


@pytest.mark.parametrize("top", [0, 6])
def test_more_of_the_best_than_there_are_directions_is_refused_and_none_of_them(top):
    with pytest.raises(LogpiError, match=f"top is {top}; allowed: 1 … 4"):
        from_function(ARS(0.3, top), lambda rows: rows[:, 0], jnp.ones(4))


def test_a_directions_return_is_the_mean_over_its_episodes():
    """Twice the same episodes: the same estimate, with 2 best of 3 directions."""
    estimate = lambda plus, minus: ARS(0.5, 2)(jnp.eye(3), jnp.stack(plus), jnp.stack(minus), 2.0)[0]
    plus, minus = jnp.array([1.0, 4.0, 2.0]), jnp.array([0.0, 1.0, 5.0])
    np.testing.assert_allclose(estimate([plus] * 2, [minus] * 2), estimate([plus], [minus]), rtol=1e-6)
    by_hand = np.array([0, 3, -3]) / np.std([4, 1, 2, 5]) / 0.5 / 2
    np.testing.assert_allclose(estimate([plus - 1, plus + 1], [minus + 2, minus - 2]), by_hand, rtol=1e-6)
