"""Observations as vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.policies.encoder import encoder

BOXES = [
    spaces.Box(-1, 1, (3,)),
    spaces.Box(-1, 1, ()),
    spaces.Box(-1, 1, (2, 3), np.float64),
    spaces.Box(0, 255, (4, 4, 3), np.uint8),
    spaces.Box(-9, 9, (5,), np.int32),
]


@pytest.mark.parametrize("space", BOXES, ids=str)
def test_a_box_is_its_numbers_in_a_row(space):
    x = space.sample()
    vector = encoder(space)(jnp.asarray(x))
    assert vector.dtype == jnp.float32
    np.testing.assert_array_equal(vector, np.float32(x).ravel())


NESTED = spaces.Dict(
    z=spaces.Box(-1, 1, (2,)),
    a=spaces.Tuple((spaces.Discrete(3), spaces.Dict(x=spaces.MultiBinary((2, 2)), w=spaces.Box(0, 9, (1,), np.int32)))),
    m=spaces.MultiDiscrete([2, 3], start=[5, -1]),
)
OTHERS = [
    spaces.Discrete(4),
    spaces.Discrete(4, start=-2),
    spaces.MultiBinary((3, 2)),
    spaces.MultiDiscrete([[2], [4]]),
]


@pytest.mark.parametrize("space", [*BOXES, *OTHERS, NESTED], ids=str)
def test_size_is_the_length_of_the_vector(space):
    encode = encoder(space)
    vector = encode(jax.tree.map(jnp.asarray, space.sample()))
    assert vector.shape == (encode.size,) == (len(encode.normalized_entries),) and vector.dtype == jnp.float32


@pytest.mark.parametrize("start", [0, 1, -2])
def test_whole_numbers_from_start_are_the_unit_vectors(start):
    encode = encoder(spaces.Discrete(3, start=start))
    np.testing.assert_array_equal(jax.vmap(encode)(jnp.arange(start, start + 3)), np.eye(3))


def test_whole_numbers_of_several_sizes_are_unit_vectors_one_after_the_other():
    """For every combination there is, whatever they start from."""
    encode = encoder(spaces.MultiDiscrete([2, 3, 1], start=[0, -1, 7]))
    for i, j in np.ndindex(2, 3):
        want = np.concatenate([np.eye(2)[i], np.eye(3)[j], [1]])
        np.testing.assert_array_equal(encode(jnp.array([i, j - 1, 7])), want)


def test_the_parts_of_a_tree_stand_in_the_order_of_their_keys():
    obs = {
        "z": jnp.array([0.5, -0.5]),
        "a": (jnp.int32(2), {"x": jnp.array([[1, 0], [0, 1]], jnp.int8), "w": jnp.array([9], jnp.int32)}),
        "m": jnp.array([6, 0]),
    }
    lamp, number, bits, dials, box = [0, 0, 1], [9], [1, 0, 0, 1], [0, 1, 0, 1, 0], [0.5, -0.5]
    np.testing.assert_array_equal(encoder(NESTED)(obs), [*lamp, *number, *bits, *dials, *box])


def test_quantities_are_the_numbers_of_boxes():
    want = [False] * 3 + [True] + [False] * 4 + [False] * 5 + [True] * 2
    assert list(encoder(NESTED).normalized_entries) == want


@pytest.mark.parametrize(
    ("space", "place"),
    [
        (spaces.Text(3), "observation space is Text"),
        (spaces.Sequence(spaces.Discrete(2)), "observation space is Sequence"),
        (spaces.Dict(camera=spaces.Dict(words=spaces.Text(3))), r"observation space: \['camera'\]\['words'\] is Text"),
        (
            spaces.Tuple((spaces.Discrete(2), spaces.Graph(spaces.Discrete(2), None))),
            r"observation space: \[1\] is Graph",
        ),
    ],
)
def test_a_leaf_without_an_encoder_is_refused_by_its_path(space, place):
    with pytest.raises(
        LogpiError, match=place + r"\(.*; supported: Box, Discrete, MultiBinary, MultiDiscrete, Dict, Tuple"
    ):
        encoder(space)
