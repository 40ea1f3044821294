"""Credit at mean 0 and standard deviation 1, and never a NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import CHOICES, batch, close, gradient, policy, replaced

from logpi.objectives.advantage_normalized import AdvantageNormalized, normalize_advantages
from logpi.objectives.clipped import Clipped
from logpi.objectives.score import score


def test_credit_has_mean_zero_and_deviation_one_over_valid_rows(key):
    x = 5 + 3 * jax.random.normal(key, (40,))
    valid = jnp.arange(40) < 30
    z = normalize_advantages(x, valid)
    np.testing.assert_allclose(z[:30], (x[:30] - np.mean(x[:30])) / np.std(x[:30]), rtol=1e-4, atol=1e-5)
    assert not jnp.any(z[30:])


@pytest.mark.parametrize("credit", [0.1, -3.3, 1234.567, 1e6])
@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_equal_credit_becomes_none(credit, rows):
    """Exactly: what is left of rounding must not be blown up to a deviation of one."""
    assert not jnp.any(normalize_advantages(jnp.full(rows, credit), jnp.ones(rows, bool)))


def test_one_valid_row_among_many_gets_none():
    assert not jnp.any(normalize_advantages(jnp.array([1e6, 7.1, jnp.nan]), jnp.array([False, True, False])))


def test_no_valid_row_at_all_gives_zeros():
    assert not jnp.any(normalize_advantages(jnp.ones(3), jnp.zeros(3, bool)))


@pytest.mark.parametrize("valid", [1, 24])
def test_objectives_of_degenerate_batches_are_finite(key, valid):
    pi = policy(CHOICES, key)
    rows = replaced(batch(pi, key), credit=jnp.full(24, 0.1), valid=jnp.arange(24) < valid)
    objective = AdvantageNormalized(Clipped(0.2))
    assert objective.evaluate(pi, rows) == 0
    assert not any(jnp.any(x) for x in jax.tree.leaves(gradient(objective, pi, rows)))


def test_the_objective_is_the_inner_one_on_standardized_credit(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    by_hand = replaced(rows, credit=(rows.credit - jnp.mean(rows.credit)) / jnp.std(rows.credit))
    close(gradient(AdvantageNormalized(score), pi, rows), gradient(score, pi, by_hand), atol=1e-6)
