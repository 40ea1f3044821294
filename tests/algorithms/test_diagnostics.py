"""Figures of an update: the direction of a divergence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import logpi
from logpi.algorithms.diagnostics import divergence
from logpi.distributions.divergence import reverse
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


def test_the_other_direction_is_kl_of_the_new_policy_from_the_old():
    old, new = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    rows, logits = jnp.zeros(2), jnp.log(jnp.asarray([old, old], jnp.float32))
    batch = Batch(rows, rows.astype(int), rows, rows, rows, rows == 0, logpi.Categorical(logits), jnp.float32(2))
    policy = Fixed(jnp.asarray(new, jnp.float32))
    np.testing.assert_allclose(divergence(policy, batch, reverse), new @ np.log(new / old), rtol=1e-5)
    parts = logpi.RewardToGo(0.9), logpi.score, logpi.Ascent(logpi.adam, 1e-2)
    stops = lambda **given: bool(logpi.PolicyGradient(*parts, target_kl=0.42, **given)._too_far(policy, batch))
    assert stops() and not stops(target_kl_direction=reverse)  # 0.51 and 0.37
