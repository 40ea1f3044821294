"""F x = g, solved by products alone."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import double_precision

from logpi.updates.conjugate_gradient import conjugate_gradient


def spd(key, eigenvalues):
    """A random symmetric matrix with these eigenvalues."""
    q, _ = jnp.linalg.qr(jr.normal(key, (len(eigenvalues), len(eigenvalues))))
    return (q * jnp.asarray(eigenvalues)[None, :]) @ q.T


def test_solves_an_ill_conditioned_system_in_about_n_products(key):
    with double_precision():
        f = spd(key, np.linspace(1, 1e4, 50))
        g = jr.normal(jr.key(1), (50,))
        solution = conjugate_gradient(lambda v: f @ v, g, 55)
        assert jnp.linalg.norm(f @ solution.x - g) / jnp.linalg.norm(g) < 1e-4
        assert solution.iterations <= 55 and bool(solution.positive)
        np.testing.assert_allclose(solution.x, jnp.linalg.solve(f, g), rtol=1e-3)


def test_says_how_well_it_did(key):
    f, g = spd(key, np.linspace(1, 100, 30)), jr.normal(jr.key(1), (30,))
    solution = conjugate_gradient(lambda v: f @ v, g, 5)
    assert solution.iterations == 5
    np.testing.assert_allclose(solution.residual, jnp.linalg.norm(g - f @ solution.x) / jnp.linalg.norm(g), rtol=1e-3)


def test_stops_when_there_is_nothing_left_to_do():
    assert conjugate_gradient(lambda v: 2.0 * v, jnp.ones(4), 10).iterations == 1


def test_a_zero_gradient_has_a_zero_solution():
    solution = conjugate_gradient(lambda v: v, jnp.zeros(3), 10)
    assert not solution.x.any() and solution.residual == 0 and solution.iterations == 0 and bool(solution.positive)


def test_a_singular_matrix_with_damping_has_a_finite_solution():
    flat = jnp.diag(jnp.array([1.0, 0.0, 0.0]))
    solution = conjugate_gradient(lambda v: flat @ v + 0.1 * v, jnp.ones(3), 10)
    np.testing.assert_allclose(solution.x, [1 / 1.1, 10, 10], rtol=1e-5)


def test_the_same_input_gives_the_same_bits(key):
    f, g = spd(key, np.linspace(1, 1e3, 20)), jr.normal(jr.key(1), (20,))
    solve = jax.jit(lambda g: conjugate_gradient(lambda v: f @ v, g, 20).x)
    assert np.asarray(solve(g)).tobytes() == np.asarray(solve(g)).tobytes()


@pytest.mark.parametrize("curvature", [-1.0, jnp.nan], ids=["negative", "undefined"])
def test_stops_at_curvature_that_is_not_positive(curvature):
    solution = conjugate_gradient(lambda v: curvature * v, jnp.ones(3), 10)
    assert not bool(solution.positive) and not solution.x.any()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_when_it_stops_does_not_depend_on_the_length_of_g(key, scale):
    f, g = spd(key, np.linspace(1, 100, 30)), scale * jr.normal(jr.key(1), (30,))
    solution = conjugate_gradient(lambda v: f @ v, g, 30, tolerance=1e-2)
    assert solution.residual**2 <= 1e-2 and 2 < solution.iterations < 20
