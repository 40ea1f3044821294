"""Steps of a given length."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, batch, bits, gradient, policy, replaced

from logpi.distributions.categorical import Categorical
from logpi.objectives.score import score
from logpi.types import Batch, ravel
from logpi.updates.restricted import NormConstrainedStep


def step(update, params, rows):
    return update(score, params, rows, update.init(params), jr.key(0))


def test_the_step_is_as_long_as_asked_and_along_the_gradient(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    g = ravel(gradient(score, pi, rows))[0]
    new, _, info = step(NormConstrainedStep(0.02), pi, rows)
    moved = ravel(new)[0] - ravel(pi)[0]
    np.testing.assert_allclose(moved, jnp.sqrt(2 * 0.02) * g / jnp.linalg.norm(g), atol=1e-6)
    np.testing.assert_allclose(info["step_norm"], 0.2, rtol=1e-6)


def test_a_step_of_a_given_euclidean_length(key):
    pi = policy(CHOICES, key)
    new, _, _ = step(NormConstrainedStep.with_length(0.3), pi, batch(pi, jr.key(5)))
    np.testing.assert_allclose(jnp.linalg.norm(ravel(new)[0] - ravel(pi)[0]), 0.3, rtol=1e-5)


def test_the_length_does_not_depend_on_the_size_of_the_gradient(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    large = replaced(rows, credit=1000 * rows.credit)
    one, other = (ravel(step(NormConstrainedStep(0.02), pi, r)[0])[0] for r in (rows, large))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_zero_gradient_makes_no_step_and_no_nan(key):
    pi = policy(CHOICES, key)
    new, _, info = step(NormConstrainedStep(0.02), pi, replaced(batch(pi, jr.key(5)), credit=jnp.zeros(24)))
    assert bits(new) == bits(pi) and info["step_norm"] == 0 and info["skipped_updates"] == 0


def test_a_gradient_that_is_not_finite_makes_no_step_and_is_counted(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    new, _, info = step(NormConstrainedStep(0.02), pi, replaced(rows, credit=rows.credit.at[0].set(jnp.nan)))
    assert bits(new) == bits(pi) and info["skipped_updates"] == 1


class Choice(eqx.Module):
    """A softmax over two actions, the same in every state."""

    logits: jax.Array

    def __call__(self, obs):
        return Categorical(self.logits)


@pytest.mark.parametrize(("z", "kl"), [(0.0, 2.2e-2), (3.0, 4.6e-3), (6.0, 2.6e-4), (9.0, 1.3e-5)])
def test_a_step_of_one_length_is_none_of_one_divergence(z, kl):
    """‖Δθ‖ = 0.3 towards an action of probability 1 / (1 + eᶻ): the figure in docs/methods.md."""
    one, old = jnp.ones(4), Choice(jnp.array([z, 0.0]))
    pi = Categorical(jnp.broadcast_to(old.logits, (4, 2)))
    rows = Batch(
        one, jnp.ones(4, jnp.int32), pi.log_prob(jnp.ones(4, jnp.int32)), one, one, one > 0, pi, jnp.float32(4)
    )
    new = step(NormConstrainedStep.with_length(0.3), old, rows)[0]
    np.testing.assert_allclose(jnp.linalg.norm(new.logits - old.logits), 0.3, rtol=1e-5)
    np.testing.assert_allclose(old(0).kl(new(0)), kl, rtol=0.05)
