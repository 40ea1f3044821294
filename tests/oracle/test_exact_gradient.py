"""∇U and the Fisher matrix: finite differences, the policy-gradient theorem, the curvature of KL."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from worlds import Softmax, numeric, table

from logpi.distributions.categorical import Categorical
from logpi.policies.policy import mlp_policy
from logpi.types import ravel


@pytest.mark.thorough_after(1)
def test_gradient_is_that_of_finite_differences(mdp):
    logits = table(mdp)
    np.testing.assert_allclose(mdp.gradient(logits), numeric(mdp.utility, logits), rtol=1e-6, atol=1e-8)


@pytest.mark.thorough_after(1)
def test_gradient_of_a_table_for_each_time(finite):
    logits = table(finite, by_time=True)
    np.testing.assert_allclose(finite.gradient(logits), numeric(finite.utility, logits), rtol=1e-6, atol=1e-8)
    tied = jnp.broadcast_to(logits[:1], logits.shape)
    np.testing.assert_allclose(finite.gradient(tied).sum(axis=0), finite.gradient(logits[0]), rtol=1e-9, atol=1e-12)


def test_the_policy_gradient_theorem(mdp):
    """∇U = Σ_s d(s) Σ_a ∇π(a|s) Q(s, a); for softmax, d(s) π(a|s) A(s, a) (Sutton et al. 2000, theorem 1)."""
    logits = table(mdp)
    pi, visits = jax.nn.softmax(logits), mdp.occupancy(logits)
    jacobian = jax.jit(jax.vmap(jax.jacobian(jax.nn.softmax)))(logits)
    over_time = lambda x: x if mdp.horizon is None else x.sum(axis=0)
    by_q = over_time(np.einsum("...i,ijk,...ij->...ik", visits, jacobian, mdp.action_value(logits)))
    by_advantage = over_time(np.einsum("...i,ij,...ij->...ij", visits, pi, mdp.advantage(logits)))
    np.testing.assert_allclose(by_q, mdp.gradient(logits), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(by_advantage, mdp.gradient(logits), rtol=1e-9, atol=1e-11)


@pytest.mark.thorough_after(3)
def test_gradient_has_the_shape_of_the_policy(mdp):
    logits = table(mdp)
    np.testing.assert_allclose(mdp.gradient(Softmax(logits)).logits, mdp.gradient(logits), rtol=1e-9, atol=1e-12)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("name", ["ending"])
def test_gradient_of_a_network(mdp, key):
    """Along a random direction in θ, for the library's own policy."""
    policy = mlp_policy(spaces.Box(0, 1, (3,)), spaces.Discrete(2), hidden=(5,), key=key)
    theta, unravel = ravel(policy)
    direction = jax.random.normal(key, theta.shape)
    slope = numeric(lambda t: mdp.utility(unravel(theta + t * direction)), jnp.zeros(()))
    np.testing.assert_allclose(ravel(mdp.gradient(policy))[0] @ direction, slope, rtol=1e-6)


@pytest.mark.thorough_after(1)
def test_fisher_is_the_curvature_of_the_mean_kl(mdp):
    """F = ∇² Σ_s d̄(s) KL(π_θ‖π_θ')(s) at θ' = θ, d̄ the normalized occupancy; it is symmetric and positive."""
    logits = table(mdp)
    visits = np.atleast_2d(mdp.occupancy(logits)).sum(axis=0)
    kl = lambda other: jnp.sum(visits / visits.sum() * Categorical(logits).kl(Categorical(other)))
    fisher, size = mdp.fisher(logits), logits.size
    np.testing.assert_allclose(fisher, jax.jit(jax.hessian(kl))(logits).reshape(size, size), atol=1e-12)
    np.testing.assert_allclose(mdp.fisher(Softmax(logits)), fisher, atol=1e-12)
    assert np.linalg.eigvalsh(fisher).min() > -1e-12


@pytest.mark.parametrize("name", ["ending"])
def test_fisher_of_a_table_for_each_time(finite):
    """A block for each time; where all tables are the same, the blocks add up to the stationary matrix."""
    logits = table(finite)
    size, steps = logits.size, finite.horizon
    full = finite.fisher(jnp.broadcast_to(logits[None], (steps, *logits.shape))).reshape(steps, size, steps, size)
    np.testing.assert_allclose(np.einsum("iaib->ab", full), finite.fisher(logits), atol=1e-12)
    assert np.abs(np.einsum("iajb->ij", np.abs(full)) * (1 - np.eye(steps))).max() < 1e-15
