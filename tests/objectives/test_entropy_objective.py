"""The mean entropy of π over the states of a batch."""

import jax.numpy as jnp
import numpy as np
from builders import CHOICES, VECTORS, batch, gradient, policy

from logpi.objectives.entropy import entropy


def test_of_a_softmax_policy_it_and_its_gradient_are_the_textbooks(key):
    """H = −Σ π log π, and ∂H/∂z_k = −π_k (log π_k + H)."""
    pi = policy(CHOICES, key, hidden=())
    rows = batch(pi, key)
    log_p = rows.old.logits - jnp.log(jnp.sum(jnp.exp(rows.old.logits), axis=-1, keepdims=True))
    h = -jnp.sum(jnp.exp(log_p) * log_p, axis=-1)
    np.testing.assert_allclose(entropy.evaluate(pi, rows), jnp.mean(h), rtol=1e-5)
    by_logits = -jnp.exp(log_p) * (log_p + h[:, None])
    got = gradient(entropy, pi, rows).network.layers[0].weight
    np.testing.assert_allclose(got, rows.obs.T @ by_logits / rows.scale, atol=1e-6)


def test_of_a_gaussian_policy_only_the_widths_count(key):
    """H = Σ_d log σ_d + ½ log 2πe: its gradient is 1 in each log σ and 0 in the mean."""
    pi = policy(VECTORS, key)
    slope = gradient(entropy, pi, batch(pi, key))
    np.testing.assert_allclose(slope.head.log_std, 1, rtol=1e-6)
    assert not jnp.any(slope.network.layers[0].weight)
