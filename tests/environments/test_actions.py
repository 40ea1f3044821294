"""A policy's own actions become the environment's: −1 … 1 spans the bounds, whole numbers begin at `start`."""

import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from logpi.environments.actions import to_native

ASYMMETRIC = spaces.Box(-3.0, 7.0, (1,))
BY_DIMENSION = spaces.Box(np.float32([-1, 0, -100]), np.float32([1, 0.5, 300]))
UNBOUNDED = spaces.Box(-np.inf, np.inf, (2,))


@pytest.fixture(params=[np, jnp], ids=["numpy", "jax"])
def xp(request):
    """The library whose arrays the actions are."""
    return request.param


@pytest.mark.parametrize("shape", [(1,), (5, 1), (2, 3, 1)], ids=str)
def test_the_ends_of_an_asymmetric_box_are_reached_and_never_passed(xp, shape):
    act = to_native(ASYMMETRIC)
    for own, native in [(-1, -3), (1, 7), (0, 2), (0.5, 4.5), (-np.inf, -3), (np.inf, 7), (30, 7)]:
        got = act(xp.full(shape, own, xp.float32))
        assert got.shape == shape and got.dtype == np.float32
        np.testing.assert_array_equal(got, native)


def test_each_dimension_has_its_own_bounds(xp):
    act = to_native(BY_DIMENSION)
    np.testing.assert_allclose(act(-xp.ones((4, 3))), np.tile(BY_DIMENSION.low, (4, 1)), atol=1e-6)
    np.testing.assert_allclose(act(xp.ones((4, 3))), np.tile(BY_DIMENSION.high, (4, 1)), atol=1e-6)
    np.testing.assert_allclose(act(xp.zeros((4, 3))), np.tile(np.float32([0, 0.25, 100]), (4, 1)), atol=1e-6)


def test_without_bounds_actions_pass(xp):
    own = xp.asarray([[1e6, -3.5]], xp.float32)
    np.testing.assert_array_equal(to_native(UNBOUNDED)(own), own)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0.0, np.inf, (2,)),
        spaces.Box(-np.inf, 0.0, (2,)),
        spaces.Box(np.float32([-1, -np.inf]), np.float32([1, np.inf])),
    ],
    ids=["below", "above", "one dimension"],
)
def test_a_box_that_is_bounded_in_part_is_refused(space):
    with pytest.raises(ValueError, match="bounded on some sides only"):
        to_native(space)


def test_whole_numbers_are_counted_from_the_start(xp):
    own = xp.asarray([0, 1, 2], xp.int32)
    np.testing.assert_array_equal(to_native(spaces.Discrete(3, start=5))(own), [5, 6, 7])
    np.testing.assert_array_equal(to_native(spaces.Discrete(3, start=-1))(own), [-1, 0, 1])
    np.testing.assert_array_equal(to_native(spaces.Discrete(3))(own), own)


def test_a_space_without_a_map_is_refused_by_name():
    with pytest.raises(ValueError, match=r"Text.*supported: Discrete, Box"):
        to_native(spaces.Text(3))
