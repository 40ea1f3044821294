"""One policy for all environments, or one for each."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces

from logpi.policies.behavior import Behavior, Greedy
from logpi.policies.normalization import update_statistics
from logpi.policies.policy import mlp_policy
from logpi.types import trainable

SEEN = spaces.Box(-np.inf, np.inf, (4,))
OBS = 3 * jr.normal(jr.key(0), (5, 4))


def member(k):
    """A policy of its own for every k, all with the same statistics of observations."""
    policy = mlp_policy(SEEN, spaces.Discrete(3), hidden=(8,), normalize=True, key=jr.key(k))
    policy = eqx.tree_at(lambda p: p.network.layers[-1].bias, policy, jnp.arange(3.0) * k)
    return update_statistics(policy, OBS, jnp.zeros(5), jnp.ones(5, bool))


def population(members):
    """Their θ with a leading axis, joined with the first one's statistics."""
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[trainable(m)[0] for m in members])
    return eqx.combine(stacked, trainable(members[0])[1])


def test_one_policy_acts_in_every_environment():
    policy = member(1)
    want = jnp.stack([policy(obs).logits for obs in OBS])
    np.testing.assert_allclose(Behavior(policy)(OBS).logits, want, rtol=1e-5, atol=1e-6)


def test_with_per_environment_member_i_acts_in_environment_i():
    members = [member(k) for k in range(5)]
    logits = Behavior(population(members), per_environment=True)(OBS).logits
    want = jnp.stack([m(obs).logits for m, obs in zip(members, OBS, strict=True)])
    np.testing.assert_allclose(logits, want, rtol=1e-5, atol=1e-6)


def test_a_population_of_equals_acts_as_the_one_policy():
    policy = member(1)
    many = Behavior(population([policy] * 5), per_environment=True)
    np.testing.assert_allclose(many(OBS).logits, Behavior(policy)(OBS).logits, rtol=1e-5, atol=1e-6)


def test_greedy_takes_the_mode_whatever_the_key():
    policy = member(0)
    actions = jax.vmap(Behavior(Greedy(policy))(OBS).sample)(jr.split(jr.key(1), 20))
    np.testing.assert_array_equal(actions, np.tile(Behavior(policy)(OBS).mode(), (20, 1)))
    assert len(set(np.asarray(actions[0]).tolist())) > 1
