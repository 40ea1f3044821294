"""Returns as ranks."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import scipy.stats

from logpi.perturbation.fitness_shaping import centered_ranks, identity_shaping


def test_ranks_are_scipys_with_ties_shared_from_minus_a_half_to_a_half():
    returns = jnp.round(2 * jr.normal(jr.key(0), (2, 9)))
    want = (scipy.stats.rankdata(returns) - 1) / 17 - 0.5
    np.testing.assert_allclose(np.ravel(centered_ranks(returns)), want, atol=1e-6)
    distinct = centered_ranks(jr.normal(jr.key(1), (2, 9)))
    assert (np.min(distinct), np.max(distinct)) == (-0.5, 0.5)
    np.testing.assert_allclose(np.sum(distinct), 0, atol=1e-5)


def test_unshaped_returns_are_themselves():
    returns = jr.normal(jr.key(0), (2, 9))
    np.testing.assert_array_equal(identity_shaping(returns), returns)
