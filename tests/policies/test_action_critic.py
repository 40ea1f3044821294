"""What an action critic answers: one number for an observation and an action, in the task's own units."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.policies.action_critic import mlp_action_critic
from logpi.policies.normalization import update_statistics

SEEN = spaces.Box(-np.inf, np.inf, (3,))
OBS = jnp.array([0.3, -1.2, 2.0])


def test_it_reads_the_observation_and_the_action_side_by_side():
    critic = mlp_action_critic(SEEN, spaces.Discrete(2, start=5), hidden=(8,), key=jr.key(0))
    for action, unit in ((0, [1.0, 0.0]), (1, [0.0, 1.0])):
        want = critic.network(jnp.concatenate([OBS, jnp.array(unit)]))[0]
        np.testing.assert_array_equal(critic(OBS, jnp.int32(action)), want)
    assert critic(OBS, jnp.int32(0)) != critic(OBS, jnp.int32(1))


def test_continuous_actions_are_read_as_they_are():
    critic = mlp_action_critic(SEEN, spaces.Box(-1, 1, (2,)), hidden=(8,), key=jr.key(0))
    action = jnp.array([0.5, -3.0])
    np.testing.assert_array_equal(critic(OBS, action), critic.network(jnp.concatenate([OBS, action]))[0])


def test_a_scaled_one_answers_sigma_times_its_network():
    plain, scaled = (
        mlp_action_critic(SEEN, spaces.Discrete(2), hidden=(8,), normalize_returns=n, key=jr.key(0))
        for n in (False, True)
    )
    returns = jnp.array([10.0, 30.0, -50.0, 90.0])
    after = update_statistics(scaled, jnp.zeros((4, 3)), returns, jnp.ones(4, bool))
    np.testing.assert_allclose(after(OBS, jnp.int32(1)), np.std(returns) * plain(OBS, jnp.int32(1)), rtol=1e-5)


def test_observations_are_normalized_by_what_was_seen():
    critic = mlp_action_critic(SEEN, spaces.Discrete(2), hidden=(8,), normalize=True, key=jr.key(0))
    seen = jr.normal(jr.key(1), (50, 3)) * 4 + 1
    after = update_statistics(critic, seen, jnp.zeros(50), jnp.ones(50, bool))
    plain = jnp.concatenate([(OBS - seen.mean(axis=0)) / seen.std(axis=0), jax.nn.one_hot(1, 2)])
    np.testing.assert_allclose(after(OBS, jnp.int32(1)), critic.network(plain)[0], rtol=1e-4)


def test_an_action_space_it_cannot_read_is_refused():
    with pytest.raises(LogpiError, match="has no encoder"):
        mlp_action_critic(SEEN, spaces.Text(3), key=jr.key(0))
