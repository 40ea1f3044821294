"""Groups of environments that share their random numbers: starts, transitions, the noise of actions."""

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, Jitter, behavior, on_device, on_host, policy
from gymnasium import spaces

from logpi.core.collection import Episodes
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.environments.vmap import Vmap
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.rollout.log_probs import behavior_log_probs
from logpi.types import trainable


class Drift(eqx.Module):
    """Starts anywhere, moves by an action and a gust. Never ends by itself."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,))
    action_space = spaces.Discrete(3)

    def reset(self, key):
        start = jr.normal(key, (2,))
        return start, start

    def step(self, key, state, action):
        after = state + jr.normal(key, (2,)) + action.astype(float)
        return after, after, after[0], jnp.asarray(False)


DEVICE = Vmap(Drift(), 6, 5, "drift")


def on_the_device(collect, key):
    return on_device(DEVICE, behavior(DEVICE, key), collect, key)


def on_the_host(collect, key):
    host = Gymnasium(lambda: Jitter(CHOICES), 6, "jitter", 5)
    return on_host(host, behavior(host, key), collect, key)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(("rollout", "group"), [(on_the_device, 2), (on_the_host, 2), (on_the_host, 6)])
def test_equal_policies_live_equal_lives_within_a_group_and_others_between_groups(rollout, group, key):
    tau = rollout(Episodes(episodes_per_env=2, group=group), key)
    columns = np.concatenate([np.asarray(tau.obs), np.asarray(tau.action)[..., None]], axis=2)
    columns = np.moveaxis(columns, 1, 0).reshape(2, 6 // group, group, -1)
    assert (columns == columns[:, :, :1]).all()
    assert len(np.unique(columns[:, :, 0].reshape(-1, columns.shape[-1]), axis=0)) == 2 * 6 // group


def test_vector_environments_seed_groups_alike():
    vector = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 4)
    first = GymnasiumVector(vector, "vector").reset(3, group=2)
    np.testing.assert_array_equal(first[::2], first[1::2])
    assert not np.array_equal(first[0], first[2])


def test_a_number_of_environments_that_makes_no_whole_groups_is_refused(key):
    with pytest.raises(LogpiError, match=r"num_envs is 6; allowed: a multiple of 4, as Episodes\(group=4\)"):
        on_the_device(Episodes(group=4), key)


def population(size, key):
    """Policies of Walk-like observations with nothing in common."""
    members = [trainable(policy(CHOICES, k))[0] for k in jr.split(key, size)]
    rest = trainable(policy(CHOICES, key))[1]
    return eqx.combine(jax.tree.map(lambda *x: jnp.stack(x), *members), rest)


def test_each_action_is_scored_by_the_member_that_took_it(key):
    """Episode e of environment i is column e · N + i."""
    mu = Behavior(population(3, key), per_environment=True)
    obs = jr.normal(key, (4, 6, 3))
    action = jr.randint(key, (4, 6), 0, 3)

    @jax.jit
    def by_hand(obs, action):
        return jnp.stack([mu(o).log_prob(a) for o, a in zip(obs, action, strict=True)])

    want = np.concatenate([by_hand(obs[:, :3], action[:, :3]), by_hand(obs[:, 3:], action[:, 3:])], axis=1)
    got = jax.jit(lambda obs, action: behavior_log_probs(mu, obs, action, 3))(obs, action)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_the_population_must_be_as_large_as_the_environments_are_many(key):
    with pytest.raises(LogpiError, match="the population has 4 members for 6 environments; allowed: one for each"):
        Behavior(population(4, key), per_environment=True)(jnp.zeros((6, 3)))
