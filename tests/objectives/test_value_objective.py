"""−½ mean((V − target)²/σ²): what a critic is fitted by."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import CHOICES, SEEN, batch, close, gradient, policy, replaced, stirred

from logpi.objectives.value import action_value, value
from logpi.policies.action_critic import mlp_action_critic
from logpi.policies.critic import ActorCritic, mlp_critic
from logpi.updates.minibatches import flatten_rows


@pytest.fixture
def critic(key):
    """A linear critic that keeps a scale of returns, at first 1."""
    return stirred(mlp_critic(SEEN, hidden=(), normalize_returns=True, key=key), key)


@pytest.fixture
def rows(key):
    return batch(policy(CHOICES, key), key)


def with_scale(critic, sigma):
    return eqx.tree_at(lambda c: c.scale.moments.value.variance, critic, jnp.float32(sigma**2))


def test_it_and_its_gradient_are_those_of_least_squares(critic, rows):
    error = jax.vmap(critic)(rows.obs) - rows.target
    np.testing.assert_allclose(value.evaluate(critic, rows), -0.5 * jnp.mean(error**2), rtol=1e-5)
    got = gradient(value, critic, rows).network.layers[0]
    np.testing.assert_allclose(got.weight[:, 0], -rows.obs.T @ error / error.size, atol=1e-6)
    np.testing.assert_allclose(got.bias[0], -jnp.mean(error), atol=1e-6)


def test_units_of_return_do_not_matter_to_a_critic_that_measures_in_them(critic, rows):
    """V/σ fitted to targets σt is V fitted to t."""
    large, targets = with_scale(critic, 50.0), replaced(rows, target=50 * rows.target)
    np.testing.assert_allclose(value.evaluate(large, targets), value.evaluate(critic, rows), rtol=1e-5)
    close(gradient(value, large, targets).network, gradient(value, critic, rows).network, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(large(rows.obs[0]), 50 * critic(rows.obs[0]), rtol=1e-5)


def test_it_is_a_mean_over_valid_rows_whatever_the_scale(critic, rows):
    valid = rows.valid.at[5:].set(False)
    few = dataclasses.replace(rows, valid=valid, scale=jnp.float32(1000))
    error = (jax.vmap(critic)(rows.obs) - rows.target)[:5]
    np.testing.assert_allclose(value.evaluate(critic, few), -0.5 * jnp.mean(error**2), rtol=1e-5)


def test_of_a_pair_it_moves_the_critic_alone(critic, rows, key):
    slope = gradient(value, ActorCritic(policy(CHOICES, key), critic), rows)
    close(slope.critic, gradient(value, critic, rows))
    assert not any(jnp.any(x) for x in jax.tree.leaves(slope.policy))


def test_asked_of_an_action_critic_it_is_least_squares_in_the_action_taken(key, rows):
    critic = mlp_action_critic(SEEN, CHOICES, hidden=(8,), key=key)
    answers = jnp.stack([critic(o, a) for o, a in zip(rows.obs, rows.action, strict=True)])
    np.testing.assert_allclose(
        action_value.evaluate(critic, rows), -jnp.mean((answers - rows.target) ** 2) / 2, rtol=1e-5
    )


def test_rows_may_have_two_axes(key):
    critic, rows = mlp_action_critic(SEEN, CHOICES, hidden=(8,), key=key), batch(policy(CHOICES, key), key, (4, 6))
    np.testing.assert_allclose(
        action_value.evaluate(critic, rows), action_value.evaluate(critic, flatten_rows(rows)), rtol=1e-5
    )
