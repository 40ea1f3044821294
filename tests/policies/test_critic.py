"""What a critic answers, in which units."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces

from logpi.distributions.categorical import Categorical
from logpi.policies.critic import ActorCritic, mlp_critic
from logpi.policies.normalization import return_scale, update_statistics
from logpi.types import ravel

SEEN = spaces.Box(-np.inf, np.inf, (4,))
PLAIN, SCALED = (mlp_critic(SEEN, hidden=(8,), normalize=n, normalize_returns=n, key=jr.key(1)) for n in (False, True))
OBS = jnp.array([0.3, -1.2, 2.0, 0.1])
RETURNS = jnp.array([10.0, 30.0, -50.0, 90.0])


def after_data():
    """The scaled critic, its statistics taken from four rows."""
    return update_statistics(SCALED, jr.normal(jr.key(2), (4, 4)), RETURNS, jnp.ones(4, bool))


def test_a_plain_critic_answers_its_network():
    assert PLAIN(OBS).shape == ()
    np.testing.assert_array_equal(PLAIN(OBS), PLAIN.network(OBS)[0])


def test_before_any_data_normalization_changes_nothing():
    np.testing.assert_array_equal(SCALED(OBS), PLAIN(OBS))


def test_a_scaled_critic_answers_sigma_times_its_network():
    critic = after_data()
    want = np.std(RETURNS) * critic.network(critic.encode(OBS))[0]
    np.testing.assert_allclose(critic(OBS), want, rtol=1e-5)


def test_return_scale_is_sigma_and_one_without_statistics():
    np.testing.assert_allclose(return_scale(after_data()), np.std(RETURNS), rtol=1e-5)
    assert return_scale(SCALED) == 1
    assert return_scale(PLAIN) == 1


def test_statistics_of_observations_and_returns_are_no_part_of_theta():
    np.testing.assert_array_equal(ravel(after_data())[0], ravel(PLAIN)[0])


def test_an_actor_critic_acts_as_its_policy():
    policy = lambda obs: Categorical(obs)
    np.testing.assert_array_equal(ActorCritic(policy, PLAIN)(OBS).logits, OBS)


def test_a_batch_is_its_rows():
    rows = jr.normal(jr.key(3), (3, 4))
    np.testing.assert_allclose(jax.vmap(PLAIN)(rows), [PLAIN(row) for row in rows], rtol=1e-5)
