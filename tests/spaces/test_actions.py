"""A policy's own actions become the environment's: −1 … 1 spans the bounds, whole numbers begin at `start`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.spaces.actions import bounded_dimensions, from_native, to_gymnasium, to_native

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


def test_a_dimension_without_both_bounds_passes_and_stops_at_the_one_it_has(xp):
    """Columns: bounded both ways, below, above, not at all, and to a single point."""
    low, high = np.float32([-3, 0, -np.inf, -np.inf, 2]), np.float32([7, np.inf, 5, np.inf, 2])
    own = xp.asarray([[-1, -4, 9, 9, 0], [0.5, 3, -9, -9, 1]], xp.float32)
    np.testing.assert_array_equal(
        to_native(spaces.Box(low, high))(own), np.float32([[-3, 0, 5, 9, 2], [4.5, 3, -9, -9, 2]])
    )


def test_bounds_are_never_passed_by_rounding():
    """Bounds that float32 cannot hold, of float64 spaces: what is sent lies in the space."""
    rng = np.random.default_rng(0)
    low = rng.uniform(-10, 0, 200)
    space = spaces.Box(low, low + rng.uniform(1e-3, 5, 200), dtype=np.float64)
    for own in (-1, 1, -50, 50):
        assert space.contains(np.float64(to_native(space)(np.full(200, own, np.float32))))


def test_a_box_of_whole_numbers_gets_the_nearest(xp):
    act = to_native(spaces.Box(0, 10, (1,), np.int64))
    np.testing.assert_array_equal(act(xp.asarray([[-1], [-0.28], [0.1], [9]], xp.float32))[:, 0], [0, 4, 6, 10])


def test_composite_actions_are_mapped_leaf_by_leaf(xp):
    space = spaces.Dict(
        arm=spaces.Tuple((ASYMMETRIC, spaces.Discrete(3, start=5))),
        keys=spaces.MultiBinary(2),
        gears=spaces.MultiDiscrete([3, 4], start=[1, -2]),
    )
    own = {
        "arm": (xp.asarray([[1.0], [0.0]], xp.float32), xp.asarray([0, 2], xp.int32)),
        "keys": xp.asarray([[0, 1], [1, 1]], xp.int32),
        "gears": xp.asarray([[0, 0], [2, 3]], xp.int32),
    }
    got = to_native(space)(own)
    np.testing.assert_array_equal(got["arm"][0], [[7], [2]])
    np.testing.assert_array_equal(got["arm"][1], [5, 7])
    np.testing.assert_array_equal(got["keys"], [[0, 1], [1, 1]])
    np.testing.assert_array_equal(got["gears"], [[1, -2], [3, 1]])


def test_whole_numbers_are_counted_from_the_start(xp):
    own = xp.asarray([0, 1, 2], xp.int32)
    np.testing.assert_array_equal(to_native(spaces.Discrete(3, start=5))(own), [5, 6, 7])
    np.testing.assert_array_equal(to_native(spaces.Discrete(3, start=-1))(own), [-1, 0, 1])
    np.testing.assert_array_equal(to_native(spaces.Discrete(3))(own), own)


def test_a_space_without_a_map_is_refused_by_name_and_place():
    with pytest.raises(ValueError, match=r"action space Text.* supported: Box, Discrete, MultiBinary, MultiDiscrete"):
        to_native(spaces.Text(3))
    with pytest.raises(ValueError, match=r"Text.* at \['a'\]\[1\] is not supported"):
        to_native(spaces.Dict(a=spaces.Tuple((ASYMMETRIC, spaces.Text(3)))))


BACK = {
    "a box": BY_DIMENSION,
    "a box with open sides": spaces.Box(np.float32([-3, 0, -np.inf, 2]), np.float32([7, np.inf, 5, 2])),
    "a matrix": spaces.Box(-2.0, 6.0, (2, 3)),
    "numbers": spaces.Discrete(3, start=-1),
    "choices": spaces.MultiDiscrete([2, 3], start=[1, 5]),
    "switches": spaces.MultiBinary(4),
    "parts": spaces.Tuple([spaces.Discrete(2, start=4), spaces.Dict({"x": ASYMMETRIC, "y": spaces.MultiBinary(2)})]),
}


@pytest.mark.parametrize("name", BACK)
def test_what_was_recorded_comes_back_into_a_policys_units_and_again_to_what_it_was(name):
    space = BACK[name]
    space.seed(0)
    recorded = [space.sample() for _ in range(5)]
    rows = jax.tree.map(lambda *x: np.stack([np.asarray(y) for y in x]), *recorded)
    own = from_native(space)(rows)
    for x, y in zip(jax.tree.leaves(to_native(space)(own)), jax.tree.leaves(rows), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)
    for x in jax.tree.leaves(own):
        assert x.dtype in (np.int32, np.float32)


def test_whole_numbers_come_back_from_zero_and_vectors_between_minus_one_and_one():
    np.testing.assert_array_equal(from_native(BACK["choices"])(np.array([[1, 5], [2, 7]])), [[0, 0], [1, 2]])
    ends = from_native(ASYMMETRIC)(np.float32([[-3], [7], [2]]))
    np.testing.assert_allclose(ends, [[-1], [1], [0]])


@pytest.mark.thorough
def test_a_number_is_finite_however_great_it_is():
    """Its square need not be."""
    box = spaces.Box(-1, 1, (2,))
    np.testing.assert_array_equal(to_gymnasium(box, "it")(np.array([[1e30, -1e30]], np.float32)), [[1, -1]])
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(LogpiError, match="environment 1 of it a non-finite action"):
            to_gymnasium(box, "it")(np.array([[0, 1], [bad, 1e30]], np.float32))


@pytest.mark.parametrize(
    "space", [spaces.MultiDiscrete([3, 4], dtype=np.int32), spaces.MultiBinary(2), ASYMMETRIC], ids=str
)
def test_what_is_sent_may_be_written_into(space):
    """The policy's own action, which is learned from, stays as it was sampled."""
    action = np.ones((2, *space.shape), np.float32 if isinstance(space, spaces.Box) else space.dtype)
    to_gymnasium(space, "writes")(action)[:] = 0
    assert (action == 1).all()


MOST = {kind: np.finfo(kind).max for kind in (np.float32, np.float64)} | {
    kind: np.iinfo(kind).max for kind in (np.int32, np.int64)
}


@pytest.mark.parametrize("kind", MOST)
def test_the_largest_number_of_a_dtype_is_no_bound(kind):
    """Nothing is scaled by it, as in a box without bounds."""
    space = spaces.Box(-MOST[kind], MOST[kind], (2,), kind)
    action = np.array([[0.0, -7.0]], np.float32)
    np.testing.assert_array_equal(to_native(space)(action), action)
    np.testing.assert_array_equal(from_native(space)(action), action)
    assert not bounded_dimensions(space).any()


def test_one_bound_that_says_nothing_leaves_the_other():
    space = spaces.Box(0, MOST[np.float32], (1,))
    np.testing.assert_array_equal(to_native(space)(np.array([[-3.0], [3.0]], np.float32)), [[0.0], [3.0]])
