"""All mass on another distribution's mode."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.point import Point

WIDE = [
    Categorical(jnp.array([[0.0, 0.1, 0.0], [0.2, 0.1, 0.0]])),
    Gaussian(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.full((2, 2), 1.0)),
]


@pytest.mark.parametrize("wide", WIDE)
def test_every_key_samples_the_mode(wide):
    action = jax.vmap(Point(wide).sample)(jr.split(jr.key(0), 50))
    np.testing.assert_array_equal(action, np.broadcast_to(wide.mode(), action.shape))


@pytest.mark.parametrize("wide", WIDE)
def test_a_sample_is_pushed_noise_and_the_noise_is_nothing(wide, key):
    noise = Point(wide).noise(key)
    assert noise.shape == (2, 0)
    np.testing.assert_array_equal(Point(wide).push(noise), Point(wide).sample(key))


@pytest.mark.parametrize("wide", WIDE)
def test_the_mode_has_probability_one(wide):
    np.testing.assert_array_equal(Point(wide).log_prob(wide.mode()), [0.0, 0.0])


class Halved(Gaussian):
    """A Gaussian whose environment gets half the action."""

    def to_env(self, action):
        return action / 2


def test_the_environment_gets_what_the_distribution_makes_of_the_action(key):
    p = Point(Halved(jnp.array([4.0]), jnp.zeros(1)))
    np.testing.assert_array_equal(p.to_env(p.sample(key)), [2.0])


@pytest.mark.parametrize("wide", WIDE)
def test_a_batch_is_its_rows_under_vmap_and_jit(wide, key):
    rows = jax.jit(jax.vmap(lambda p: (p.sample(key), p.log_prob(p.sample(key)))))(Point(wide))
    np.testing.assert_array_equal(rows[0], wide.mode())
    np.testing.assert_array_equal(rows[1], [0.0, 0.0])
