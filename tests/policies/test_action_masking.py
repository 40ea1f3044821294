"""A mask among the observations takes illegal actions out of the policy, and out of nothing else."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import stirred
from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.policies.action_masking import ActionMasked, valid_mask
from logpi.policies.critic import mlp_critic
from logpi.policies.policy import mlp_policy
from logpi.types import Batch, ravel
from logpi.updates.fisher import fisher_product


def seen(size, **others):
    mask = spaces.Box(0, 1, (size,), np.int8)
    return spaces.Dict(action_mask=mask, place=spaces.Box(-1.0, 1.0, (3,)), **others)


GAME = stirred(mlp_policy(seen(4), spaces.Discrete(4), hidden=(8,), key=jr.key(0)), jr.key(1))
DIALS = spaces.MultiDiscrete([2, 3])
BOARD = stirred(mlp_policy(seen(5), DIALS, hidden=(8,), key=jr.key(0)), jr.key(1))


def obs(*mask):
    return {"action_mask": jnp.array(mask, jnp.int8), "place": jnp.array([0.2, -0.4, 0.9])}


def probabilities(policy, o):
    return jnp.exp(jax.vmap(lambda a: policy(o).log_prob(a))(jnp.arange(4)))


def test_the_rest_shares_what_the_illegal_had():
    free, bound = probabilities(GAME, obs(1, 1, 1, 1)), probabilities(GAME, obs(1, 0, 1, 0))
    assert bound[1] == bound[3] == 0
    np.testing.assert_allclose(bound[::2], free[::2] / free[::2].sum(), rtol=1e-5)


def test_the_mask_is_all_that_it_changes():
    """No network sees it: with the same place and everything legal, π and V are what they are without a mask."""
    bare = {"place": obs(1)["place"]}
    plain = mlp_policy(spaces.Dict(place=seen(4)["place"]), spaces.Discrete(4), hidden=(8,), key=jr.key(0))
    np.testing.assert_array_equal(ravel(plain)[0].shape, ravel(GAME)[0].shape)
    unmasked = ravel(plain)[1](ravel(GAME)[0])
    np.testing.assert_array_equal(unmasked(bare).logits, GAME(obs(1, 1, 1, 1)).logits)
    critic = mlp_critic(seen(4), hidden=(8,), key=jr.key(0))
    assert critic(obs(1, 1, 1, 1)) == critic(obs(0, 1, 0, 0))


def test_each_dimension_has_its_stretch_of_the_mask():
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (5000, *x.shape)), BOARD(obs(0, 1, 1, 0, 1)))
    action = np.asarray(many.sample(jr.key(0)))
    assert np.unique(action[:, 0]).tolist() == [1] and np.unique(action[:, 1]).tolist() == [0, 2]


def test_where_nothing_is_legal_the_mask_is_ignored():
    """In that dimension alone; and what is chosen is an action there is."""
    np.testing.assert_array_equal(valid_mask(jnp.array([0, 0, 1, 0, 1]), (2, 3)), [True, True, True, False, True])
    np.testing.assert_allclose(probabilities(GAME, obs(0, 0, 0, 0)), probabilities(GAME, obs(1, 1, 1, 1)), rtol=1e-6)
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (5000, *x.shape)), BOARD(obs(0, 0, 0, 1, 0)))
    action = np.asarray(many.sample(jr.key(0)))
    assert np.unique(action[:, 0]).tolist() == [0, 1] and np.unique(action[:, 1]).tolist() == [1]


@pytest.mark.parametrize("mask", [(1, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0)])
def test_every_figure_has_a_finite_gradient(mask):
    theta, unravel = ravel(GAME)
    other = GAME(obs(*mask))

    def figures(theta):
        pi = unravel(theta)(obs(*mask))
        return pi.log_prob(pi.mode()) + pi.entropy() + pi.kl(other) + other.kl(pi)

    assert jnp.all(jnp.isfinite(jax.grad(figures)(theta + 0.1)))


def test_the_fisher_matrix_passes_illegal_actions_by():
    """A product with it is the Hessian of KL times the vector, as it is without masks."""
    seen = jax.tree.map(lambda *x: jnp.stack(x), obs(1, 0, 1, 0), obs(0, 0, 1, 1), obs(0, 0, 0, 0))
    theta, unravel = ravel(GAME)
    old, blank = jax.vmap(GAME)(seen), jnp.zeros(3)
    rows = Batch(seen, old.mode(), blank, blank, blank, jnp.ones(3, bool), old, jnp.float32(3))
    v = jnp.asarray(np.random.default_rng(0).normal(size=theta.shape), jnp.float32)
    drift = lambda there: jnp.mean(old.kl(jax.vmap(unravel(there))(seen)))

    @jax.jit
    def products(v):
        return fisher_product(unravel, theta, rows)(v), jax.jvp(jax.grad(drift), (theta,), (v,))[1]

    got, want = products(v)
    assert jnp.linalg.norm(want) > 1e-3
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_only_a_key_of_that_name_is_a_mask():
    policy = mlp_policy(spaces.Dict(place=seen(4)["place"]), spaces.Discrete(4), key=jr.key(0))
    assert not isinstance(policy, ActionMasked) and isinstance(GAME, ActionMasked)


@pytest.mark.parametrize(
    ("size", "actions", "needs"),
    [
        (3, spaces.Discrete(4), r"its shape to be \(4,\)"),
        (6, DIALS, r"its shape to be \(5,\)"),
        (2, spaces.Box(-1, 1, (2,)), "a Discrete"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(size, actions, needs):
    with pytest.raises(LogpiError, match=rf"observation space: \['action_mask'\] is Box\(.*a mask needs {needs}"):
        mlp_policy(seen(size), actions, key=jr.key(0))


def test_a_mask_alone_gives_a_network_nothing_to_see():
    with pytest.raises(LogpiError, match="nothing that a network could see"):
        mlp_policy(spaces.Dict(action_mask=spaces.MultiBinary(3)), spaces.Discrete(3), key=jr.key(0))
