"""min(ρΦ, clip(ρ, 1 − ε, 1 + ε)Φ): its gradient vanishes exactly where ρ has gone far enough."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import CHOICES, VECTORS, batch, close, gradient, policy, replaced

from logpi.objectives.clipped import Clipped
from logpi.objectives.importance import importance
from logpi.objectives.outputs import Outputs
from logpi.objectives.score import score

CELLS = [  # Φ, ρ, the value, and what ∇log π is multiplied by
    (2.0, 0.5, 2.0 * 0.5, 2.0 * 0.5),
    (2.0, 1.0, 2.0 * 1.0, 2.0 * 1.0),
    (2.0, 1.5, 2.0 * 1.2, 0.0),
    (-2.0, 0.5, -2.0 * 0.8, 0.0),
    (-2.0, 1.0, -2.0 * 1.0, -2.0 * 1.0),
    (-2.0, 1.5, -2.0 * 1.5, -2.0 * 1.5),
]


@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["softmax", "gaussian"])
@pytest.mark.parametrize(("phi", "rho", "value", "slope"), CELLS)
def test_the_cells_have_their_hand_values(key, actions, phi, rho, value, slope):
    pi = policy(actions, key)
    rows = batch(pi, key)
    rows = replaced(rows, log_prob=rows.log_prob - np.log(rho, dtype=np.float32), credit=jnp.full(24, phi))
    np.testing.assert_allclose(Clipped(0.2).evaluate(pi, rows), value, rtol=1e-5)
    log_slope = gradient(score, pi, replaced(rows, credit=jnp.ones(24)))
    by_hand = jax.tree.map(lambda g: slope * g, log_slope)
    close(gradient(Clipped(0.2), pi, rows), by_hand, rtol=1e-5, atol=1e-6 * abs(slope))


@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["softmax", "gaussian"])
def test_its_gradient_at_the_old_policy_is_the_scores(key, actions):
    pi = policy(actions, key)
    rows = batch(pi, key)
    close(gradient(Clipped(0.2), pi, rows), gradient(score, pi, rows), atol=1e-6, rtol=0)


def test_without_a_bound_it_is_the_importance_objective(key):
    pi, mu = policy(CHOICES, key), policy(CHOICES, jax.random.key(1))
    rows = batch(mu, key)
    unbounded = Clipped(jnp.inf)
    np.testing.assert_allclose(unbounded.evaluate(pi, rows), importance.evaluate(pi, rows), rtol=1e-6)
    close(gradient(unbounded, pi, rows), gradient(importance, pi, rows), atol=1e-6)
    assert abs(Clipped(0.2).evaluate(pi, rows) - importance.evaluate(pi, rows)) > 1e-2


def test_the_clip_fraction_counts_valid_rows_alone(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key, shape=(4,))
    rho = jnp.array([1.0, 1.5, 0.5, 1.1])
    rows = replaced(rows, log_prob=rows.log_prob - jnp.log(rho), valid=jnp.array([True, True, False, True]))
    np.testing.assert_allclose(Clipped(0.2).info(Outputs(pi, rows), rows)["clip_fraction"], 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("shift", [-200.0, 200.0])
def test_probabilities_that_differ_beyond_measure_give_finite_numbers(key, shift):
    pi = policy(VECTORS, key)
    rows = batch(pi, key)
    rows = replaced(rows, log_prob=rows.log_prob + shift)
    assert jnp.isfinite(Clipped(0.2).evaluate(pi, rows))
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(gradient(Clipped(0.2), pi, rows)))
    assert Clipped(0.2).info(Outputs(pi, rows), rows)["clip_fraction"] == 1
