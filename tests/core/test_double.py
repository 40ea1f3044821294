"""Sums of two floats hold what one float drops, and come to the host as doubles."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from logpi.core.double import Double, Ratio, host_metrics
from logpi.core.undefined import UNDEFINED


def value(number):
    return Ratio(jax.device_get(number), jnp.float32(1)).host_value()


@jax.jit
def accumulated(first, steps):
    return jax.lax.fori_loop(0, steps, lambda _, total: total + jnp.float32(1), first)


def test_ones_are_counted_beyond_the_largest_whole_number_of_a_float():
    start = Double(jnp.float32(2**24), jnp.float32(0))
    assert value(accumulated(start, 5)) == 2**24 + 5
    assert jnp.float32(2**24) + 1 == 2**24  # one float does not move


def test_a_sum_of_many_is_that_of_doubles_also_compiled_and_for_an_odd_count():
    x = 1e4 * jr.normal(jr.key(0), (3, 37))
    exact = np.asarray(x, np.float64).sum()
    for sum_of in (lambda x: Double(x, jnp.zeros_like(x)).sum(), jax.jit(lambda x: Double(x, jnp.zeros_like(x)).sum())):
        np.testing.assert_allclose(value(sum_of(x)), exact, rtol=1e-13)
    assert abs(np.float64(jnp.sum(x)) - exact) > 1e-10 * abs(exact)


def test_the_extremes_are_told_apart_by_the_low_part():
    high, low = jnp.full(3, 2.0**24), jnp.array([0.0, 1.0, -0.5])
    assert (value(Double(high, low).max()), value(Double(high, low).min())) == (2**24 + 1, 2**24 - 0.5)


def test_infinite_sums_are_infinite_and_no_nan():
    total = Double(jnp.float32(3e38), jnp.float32(0)) + jnp.float32(3e38)
    assert value(total) == np.inf and value(total + jnp.float32(1)) == np.inf


def test_ratios_are_divided_in_double_and_undefined_ones_are_nan():
    third = Ratio(Double(jnp.float32(2**24), jnp.float32(1)), jnp.float32(3))
    nothing = Ratio(Double(jnp.float32(UNDEFINED), jnp.float32(0)), jnp.float32(1))
    metrics = host_metrics(
        jax.device_get({"mean": third, "none": nothing, "kl": jnp.float32(UNDEFINED), "steps": jnp.int32(4)})
    )
    assert metrics["mean"] == (2**24 + 1) / 3 and metrics["steps"] == 4
    assert np.isnan(metrics["none"]) and np.isnan(metrics["kl"])
