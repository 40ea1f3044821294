"""y_t = x_t + discount_t · y_{t+1}."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import double_precision

from logpi.credit.discounted_sum import discounted_sum

RNG = np.random.default_rng(0)


def by_definition(x, gamma):
    """Σ_l (Π_{k<l} discount_{t+k}) x_{t+l}: the double sum, no recursion."""
    y = np.zeros_like(x)
    for t in range(len(x)):
        for ahead in range(len(x) - t):
            y[t] += np.prod(gamma[t : t + ahead], axis=0) * x[t + ahead]
    return y


@pytest.mark.parametrize("length", [1, 2, 12])
def test_is_the_double_sum(length):
    x, gamma = RNG.normal(size=(length, 6)), RNG.random((length, 6))
    with double_precision():
        got = discounted_sum(jnp.asarray(x), jnp.asarray(gamma))
    np.testing.assert_allclose(got, by_definition(x, gamma), rtol=0, atol=1e-12)


def test_the_last_discount_reaches_nothing():
    x, gamma = jnp.ones((3, 1)), jnp.full((3, 1), 0.5)
    np.testing.assert_array_equal(discounted_sum(x, gamma), discounted_sum(x, gamma.at[-1].set(1e6)))


def test_nothing_passes_a_discount_of_zero():
    gamma = jnp.full((5, 2), 0.9).at[2].set(0.0)
    far = jnp.ones((5, 2)).at[3:].set(1e6)
    np.testing.assert_array_equal(discounted_sum(far, gamma)[:3], discounted_sum(jnp.ones((5, 2)), gamma)[:3])


def test_columns_do_not_mix():
    x = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)
    gamma = jnp.full((5, 3), 0.9)
    alone = discounted_sum(x[:, 1:2], gamma[:, 1:2])
    np.testing.assert_array_equal(discounted_sum(x.at[:, 0].set(1e6), gamma)[:, 1:2], alone)


def test_the_gradient_weighs_what_is_later_by_its_discount():
    gradient = jax.grad(lambda x: discounted_sum(x, jnp.full((3, 1), 0.5))[0, 0])(jnp.ones((3, 1)))
    np.testing.assert_array_equal(gradient[:, 0], [1, 0.5, 0.25])
