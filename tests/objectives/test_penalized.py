"""ρΦ less what it costs to move."""

import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, VECTORS, at, batch, close, gradient, policy, stirred

from logpi.objectives.importance import importance
from logpi.objectives.penalized import Penalized, divergence


@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["categorical", "gaussian"])
def test_value_is_the_surrogate_less_beta_times_kl(actions, key):
    pi = policy(actions, key)
    rows, new = batch(pi, jr.key(5)), stirred(pi, jr.key(1), 0.1)
    kl = at(pi, rows.obs, 1).kl(at(new, rows.obs, 1)).mean()
    np.testing.assert_allclose(divergence.evaluate(new, rows), kl, rtol=1e-5)
    np.testing.assert_allclose(Penalized(3.0).evaluate(new, rows), importance.evaluate(new, rows) - 3.0 * kl, rtol=1e-5)


def test_without_penalty_it_is_importance(key):
    pi = policy(CHOICES, key)
    rows, new = batch(pi, jr.key(5)), stirred(pi, jr.key(1), 0.1)
    np.testing.assert_allclose(Penalized(0.0).evaluate(new, rows), importance.evaluate(new, rows))
    close(gradient(Penalized(0.0), new, rows), gradient(importance, new, rows))


def test_the_penalty_has_no_slope_where_it_starts(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    close(gradient(Penalized(100.0), pi, rows), gradient(importance, pi, rows), atol=1e-5)
