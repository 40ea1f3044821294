"""Figures of an update: the direction of a divergence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import logpi
from logpi.algorithms.diagnostics import divergence
from logpi.types import Batch


class Fixed(eqx.Module):
    """The same distribution in every state."""

    p: jax.Array

    def __call__(self, obs):
        return logpi.Categorical(jnp.log(self.p))


def test_the_divergence_of_an_update_is_kl_of_the_old_policy_from_the_new_over_valid_rows():
    old, new = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    rows, logits = jnp.zeros(3), jnp.log(jnp.asarray([old, old, [0.99, 0.01]], jnp.float32))
    valid = jnp.array([True, True, False])
    batch = Batch(rows, rows.astype(int), rows, rows, rows, valid, logpi.Categorical(logits), jnp.float32(2))
    np.testing.assert_allclose(
        divergence(Fixed(jnp.asarray(new, jnp.float32)), batch), old @ np.log(old / new), rtol=1e-5
    )
