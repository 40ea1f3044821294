"""The best of some lengths along the gradient."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, batch, bits, policy, replaced

from logpi.errors import LogpiError
from logpi.objectives.base import Objective
from logpi.objectives.optimal_baseline import OptimalBaseline
from logpi.objectives.score import score
from logpi.types import ravel
from logpi.updates.line_search import NormConstrainedLineSearch
from logpi.updates.restricted import NormConstrainedStep


class Hill(Objective):
    """J(θ) = −½ ‖θ − top‖²."""

    top: jax.Array

    def __call__(self, outputs, batch):
        return -0.5 * jnp.sum((outputs.params - self.top) ** 2)


@pytest.fixture
def rows(key):
    return batch(policy(CHOICES, key), key)


def step(update, objective, params, rows):
    return update(objective, params, rows, update.init(params), jr.key(0))


@pytest.mark.parametrize(("distance", "length"), [(0.3, 0.25), (0.4, 0.5), (5.0, 1.0), (0.12, 0.125)])
def test_it_takes_the_length_at_which_j_is_largest(distance, length, rows):
    """Lengths 1, ½, ¼ … towards a top at some distance: the nearest one; J rises by ½ (d² − (d − length)²)."""
    direction = jnp.array([0.6, 0.8])
    new, _, info = step(NormConstrainedLineSearch(0.5), Hill(distance * direction), jnp.zeros(2), rows)
    np.testing.assert_allclose(new, length * direction, rtol=1e-5)
    np.testing.assert_allclose(info["step_norm"], length, rtol=1e-6)
    np.testing.assert_allclose(info["gain"], 0.5 * (distance**2 - (distance - length) ** 2), rtol=1e-4)


def test_where_each_length_is_too_long_nothing_moves(rows):
    theta = jnp.array([0.0, 0.0])
    new, _, info = step(NormConstrainedLineSearch(0.5, backtracks=2), Hill(jnp.array([0.1, 0.0])), theta, rows)
    assert bits(new) == bits(theta) and info["step_norm"] == info["gain"] == 0


def test_the_longest_step_is_that_of_a_given_length(key, rows):
    pi = policy(CHOICES, key)
    line = step(NormConstrainedLineSearch(1e-4, backtracks=1), score, pi, rows)[0]
    np.testing.assert_allclose(ravel(line)[0], ravel(step(NormConstrainedStep(1e-4), score, pi, rows)[0])[0], atol=1e-7)


def test_a_gradient_that_is_zero_or_not_finite_makes_no_step(key, rows):
    pi = policy(CHOICES, key)
    for credit, skipped in [(jnp.zeros(24), 0), (rows.credit.at[0].set(jnp.nan), 1)]:
        new, _, info = step(NormConstrainedLineSearch(0.02), score, pi, replaced(rows, credit=credit))
        assert bits(new) == bits(pi) and info["skipped_updates"] == skipped


def test_an_objective_without_values_is_refused(key, rows):
    with pytest.raises(LogpiError, match="OptimalBaseline is no objective for NormConstrainedLineSearch"):
        step(NormConstrainedLineSearch(0.02), OptimalBaseline(), policy(CHOICES, key), rows)
