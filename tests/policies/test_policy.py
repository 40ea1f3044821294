"""The softmax and the Gaussian policy over a network."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.special
import scipy.stats
from gymnasium import spaces
from helpers import relative_error

from logpi.policies.policy import head_for_space, mlp_policy
from logpi.types import ravel, trainable

SEEN = spaces.Box(-np.inf, np.inf, (4,))
SOFTMAX = mlp_policy(SEEN, spaces.Discrete(5), hidden=(8, 8), key=jr.key(1))
GAUSSIAN = mlp_policy(SEEN, spaces.Box(-2, 3, (2,)), hidden=(8, 8), initial_std=0.5, key=jr.key(1))
OBS = jnp.array([0.3, -1.2, 2.0, 0.1])


def moved(policy):
    """The policy with every learned number moved, far from its start."""
    flat, unravel = ravel(policy)
    return unravel(flat + 0.5 * jr.normal(jr.key(2), flat.shape))


def test_the_softmax_policy_is_the_softmax_of_the_network():
    policy = moved(SOFTMAX)
    want = scipy.special.log_softmax(np.asarray(policy.network(OBS), float))
    got = [policy(OBS).log_prob(jnp.int32(a)) for a in range(5)]
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_the_gaussian_policy_is_normal_around_the_network_with_the_learned_std():
    policy, action = moved(GAUSSIAN), jnp.array([0.4, -0.9])
    normal = scipy.stats.norm(policy.network(OBS), np.exp(policy.head.log_std))
    np.testing.assert_allclose(policy(OBS).log_prob(action), normal.logpdf(action).sum(), rtol=1e-5)


def test_the_std_starts_where_it_is_told_and_is_the_same_in_every_state():
    for obs in (OBS, -10 * OBS):
        np.testing.assert_allclose(jnp.exp(GAUSSIAN(obs).log_std), 0.5, rtol=1e-6)


def test_log_std_is_learned():
    theta, _ = trainable(GAUSSIAN)
    assert theta.head.log_std.shape == (2,)


@pytest.mark.parametrize("policy", [SOFTMAX, GAUSSIAN])
def test_the_score_of_all_parameters_has_mean_zero(policy):
    theta, unravel = ravel(moved(policy))
    p = unravel(theta)(OBS)
    if p.mode().ndim == 0:
        actions, weights = jnp.arange(5), jax.nn.softmax(p.logits)
    else:
        nodes, w = np.polynomial.hermite_e.hermegauss(8)
        grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
        actions = jax.vmap(p.push)(jnp.asarray(grid, jnp.float32))
        weights = jnp.asarray(np.outer(w, w).ravel() / w.sum() ** 2, jnp.float32)
    score = jax.jit(jax.vmap(jax.grad(lambda theta, a: unravel(theta)(OBS).log_prob(a)), (None, 0)))(theta, actions)
    assert jnp.linalg.norm(weights @ score) < 1e-5 * (weights @ jnp.linalg.norm(score, axis=1))


def test_the_first_policy_is_nearly_uniform_whatever_it_sees():
    policy = mlp_policy(SEEN, spaces.Discrete(5), key=jr.key(1))
    probability = jax.nn.softmax(jax.vmap(policy)(1e3 * jr.normal(jr.key(3), (1000, 4))).logits)
    # tanh keeps the last hidden layer within the unit cube, orthogonal columns of norm 0.01 the logits within 0.08.
    assert jnp.max(jnp.abs(jnp.log(probability) - jnp.log(0.2))) < 0.16


def test_the_first_mean_is_nearly_zero_whatever_it_sees():
    policy = mlp_policy(SEEN, spaces.Box(-1, 1, (2,)), key=jr.key(1))
    assert jnp.max(jnp.abs(jax.vmap(policy)(1e3 * jr.normal(jr.key(3), (1000, 4))).mean)) < 0.08


@pytest.mark.parametrize("actions", [spaces.Discrete(5), spaces.Box(-1, 1, (2,))])
def test_before_any_data_normalization_changes_nothing(actions):
    plain, normalized = (mlp_policy(SEEN, actions, normalize=n, key=jr.key(4)) for n in (False, True))
    np.testing.assert_array_equal(plain(OBS).mode(), normalized(OBS).mode())
    np.testing.assert_array_equal(plain.network(OBS), normalized.network(normalized.encode(OBS)))


def test_statistics_are_no_part_of_theta():
    plain, normalized = (mlp_policy(SEEN, spaces.Discrete(5), normalize=n, key=jr.key(4)) for n in (False, True))
    np.testing.assert_array_equal(ravel(normalized)[0], ravel(plain)[0])
    assert jax.tree.leaves(trainable(normalized)[0].encode) == []


def test_theta_as_a_vector_and_back_is_the_same_policy():
    policy = mlp_policy(SEEN, spaces.Discrete(5), normalize=True, key=jr.key(4))
    flat, unravel = ravel(policy)
    np.testing.assert_array_equal(unravel(flat)(OBS).logits, policy(OBS).logits)
    assert relative_error(unravel(2 * flat)(OBS).logits, policy(OBS).logits) > 0.5


def test_a_new_policy_has_the_types_an_updated_one_has():
    # A weakly typed leaf becomes a strong one in the first update, and everything would compile twice.
    assert not any(leaf.weak_type for leaf in jax.tree.leaves((SOFTMAX, GAUSSIAN)))


def test_the_key_decides_the_weights():
    again, other = (mlp_policy(SEEN, spaces.Discrete(5), hidden=(8, 8), key=jr.key(k)) for k in (1, 2))
    np.testing.assert_array_equal(ravel(again)[0], ravel(SOFTMAX)[0])
    assert jnp.max(jnp.abs(ravel(other)[0] - ravel(SOFTMAX)[0])) > 0.1


@pytest.mark.parametrize("space", [spaces.Text(3), spaces.Graph(spaces.Discrete(2), None), spaces.Dict()])
def test_an_action_space_without_a_distribution_is_refused_by_name(space):
    with pytest.raises(ValueError, match=type(space).__name__):
        head_for_space(space)
