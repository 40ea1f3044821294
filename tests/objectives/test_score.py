"""∇ Σ log π_θ(a|s) Φ is the score-function gradient, whatever the policy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import CHOICES, VECTORS, batch, close, gradient, policy, replaced

from logpi.objectives.score import score
from logpi.types import trainable


def test_of_a_softmax_policy_it_is_the_sum_of_chosen_less_probable(key):
    """∇_W log π(a|s) = s (1_a − π(·|s))ᵀ for logits z = sW + b."""
    pi = policy(CHOICES, key, hidden=())
    rows = batch(pi, key)
    error = jax.nn.one_hot(rows.action, 3) - jax.nn.softmax(rows.old.logits)
    layer = gradient(score, pi, rows).network.layers[0]
    weight = jnp.einsum("bi,bo,b->io", rows.obs, error, rows.credit) / rows.scale
    np.testing.assert_allclose(layer.weight, weight, atol=1e-6)
    np.testing.assert_allclose(layer.bias, error.T @ rows.credit / rows.scale, atol=1e-6)


def test_of_a_gaussian_policy_it_is_the_sum_of_deviations(key):
    """∇_μ log π = (a − μ)/σ² and ∇_{log σ} log π = ((a − μ)/σ)² − 1."""
    pi = policy(VECTORS, key, hidden=())
    rows = batch(pi, key)
    mean, std = rows.old.mean, jnp.exp(rows.old.log_std)
    by_mean = (rows.action - mean) / std**2
    by_log_std = ((rows.action - mean) / std) ** 2 - 1
    slope = gradient(score, pi, rows)
    weight = jnp.einsum("bi,bo,b->io", rows.obs, by_mean, rows.credit) / rows.scale
    np.testing.assert_allclose(slope.network.layers[0].weight, weight, atol=1e-6)
    np.testing.assert_allclose(slope.head.log_std, by_log_std.T @ rows.credit / rows.scale, atol=1e-6)


@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["softmax", "gaussian"])
def test_of_any_network_it_is_the_weighted_sum_of_row_gradients(key, actions):
    pi = policy(actions, key)
    rows = batch(pi, key)
    theta, rest = trainable(pi)
    one = lambda obs, action: jax.grad(lambda theta: eqx.combine(theta, rest)(obs).log_prob(action))(theta)
    each = jax.vmap(one)(rows.obs, rows.action)
    by_hand = jax.tree.map(lambda g: jnp.tensordot(rows.credit, g, 1) / rows.scale, each)
    close(gradient(score, pi, rows), by_hand, atol=1e-6)


def test_rows_may_be_laid_out_along_time_and_environments(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key, shape=(6, 4))
    flat = jax.tree.map(lambda x: x.reshape(24, *x.shape[2:]) if x.ndim else x, rows)
    close(gradient(score, pi, rows), gradient(score, pi, flat), atol=1e-6)


def test_the_scale_divides(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    twice = replaced(rows, scale=2 * rows.scale)
    np.testing.assert_allclose(score.evaluate(pi, rows), 2 * score.evaluate(pi, twice), rtol=1e-6)
