"""Three ways to one matrix: F = E[∇log π ∇log πᵀ] = ∇²KL = −E[∇²log π]."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, VECTORS, at, batch, policy, replaced
from helpers import mostly_slow

from logpi.types import ravel
from logpi.updates.fisher import fisher_product

ROWS = 12


@pytest.fixture(params=mostly_slow(["gaussian", "categorical"]))
def case(request, key):
    """(a policy of few parameters, its θ, the way back, a batch)."""
    pi = policy(CHOICES if request.param == "categorical" else VECTORS, key, hidden=(4,))
    return (request.param, *ravel(pi), batch(pi, jr.key(5), (ROWS,)))


def dense(product, size):
    return jax.jit(jax.vmap(product))(jnp.eye(size))


def by_products(theta, unravel, rows):
    return dense(fisher_product(unravel, theta, rows), theta.size)


def by_hessian_of_kl(theta, unravel, rows):
    old = at(unravel(theta), rows.obs, 1)
    return jax.jit(jax.hessian(lambda v: old.kl(at(unravel(v), rows.obs, 1)).mean()))(theta)


def by_scores(kind, theta, unravel, rows):
    """E over actions, exact: a sum over three choices, or the third moments of a normal by Gauss–Hermite."""
    if kind == "categorical":
        actions = jnp.arange(3)
        weights = jnp.exp(jax.vmap(lambda a: at(unravel(theta), rows.obs, 1).log_prob(jnp.full(ROWS, a)))(actions))
    else:
        nodes, mass = np.polynomial.hermite_e.hermegauss(4)
        grid = jnp.array([[a, b] for a in nodes for b in nodes], jnp.float32)
        mass = jnp.array([a * b for a in mass for b in mass], jnp.float32) / (2 * np.pi)
        pi = at(unravel(theta), rows.obs, 1)
        actions = jax.vmap(lambda z: pi.push(jnp.broadcast_to(z, (ROWS, 2))))(grid)
        weights = jnp.broadcast_to(mass[:, None], (len(mass), ROWS))
    scores_of = jax.jit(jax.jacobian(lambda v, a: at(unravel(v), rows.obs, 1).log_prob(a)))
    total = jnp.zeros((theta.size, theta.size))
    for i in range(len(weights)):
        action = jnp.full(ROWS, actions[i]) if kind == "categorical" else actions[i]
        scores = scores_of(theta, action)
        total += jnp.einsum("b,bi,bj->ij", weights[i], scores, scores) / ROWS
    return total


def by_curvature_of_log_prob(theta, unravel, rows):
    """−Σ_a π(a) ∇² log π(a), for three choices."""
    pi = at(unravel(theta), rows.obs, 1)
    curvature = jax.jit(jax.hessian(lambda v, a, w: (w * at(unravel(v), rows.obs, 1).log_prob(a)).mean()))
    total = jnp.zeros((theta.size, theta.size))
    for a in range(3):
        action = jnp.full(ROWS, a)
        total -= curvature(theta, action, jnp.exp(pi.log_prob(action)))
    return total


def relative(a, b):
    return float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b))


@pytest.mark.thorough
def test_products_are_the_mean_outer_product_of_scores(case):
    kind, theta, unravel, rows = case
    assert relative(by_products(theta, unravel, rows), by_scores(kind, theta, unravel, rows)) < 1e-4


def test_products_are_the_hessian_of_kl(case):
    _, theta, unravel, rows = case
    assert relative(by_products(theta, unravel, rows), by_hessian_of_kl(theta, unravel, rows)) < 1e-4


def test_products_are_minus_the_mean_curvature_of_log_prob(case):
    kind, theta, unravel, rows = case
    if kind == "categorical":
        assert relative(by_products(theta, unravel, rows), by_curvature_of_log_prob(theta, unravel, rows)) < 1e-4


def test_the_gradient_of_kl_is_zero_at_theta(case):
    _, theta, unravel, rows = case
    old = at(unravel(theta), rows.obs, 1)
    slope = jax.jit(jax.grad(lambda v: old.kl(at(unravel(v), rows.obs, 1)).mean()))(theta)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_it_is_symmetric_and_nowhere_negative(case):
    _, theta, unravel, rows = case
    f = by_products(theta, unravel, rows)
    np.testing.assert_allclose(f, f.T, atol=1e-6)
    assert jnp.linalg.eigvalsh((f + f.T) / 2).min() >= -1e-6


def test_only_valid_rows_count(case):
    _, theta, unravel, rows = case
    half = replaced(rows, valid=jnp.arange(ROWS) < ROWS // 2)
    alone = jax.tree.map(lambda x: x[: ROWS // 2] if x.ndim else x, rows)
    np.testing.assert_allclose(by_products(theta, unravel, half), by_products(theta, unravel, alone), atol=1e-6)


@pytest.mark.thorough
def test_damping_adds_to_the_diagonal(case):
    _, theta, unravel, rows = case
    damped = dense(fisher_product(unravel, theta, rows, 0.5), theta.size)
    np.testing.assert_allclose(damped - by_products(theta, unravel, rows), 0.5 * jnp.eye(theta.size), atol=1e-5)
