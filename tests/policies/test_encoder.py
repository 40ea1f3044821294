"""Observations as vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

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


@pytest.mark.parametrize("space", [*BOXES, spaces.Discrete(4), spaces.Discrete(4, start=-2)], ids=str)
def test_size_is_the_length_of_the_vector(space):
    encode = encoder(space)
    assert encode(jnp.asarray(space.sample())).shape == (encode.size,)


@pytest.mark.parametrize("start", [0, 1, -2])
def test_whole_numbers_from_start_are_the_unit_vectors(start):
    encode = encoder(spaces.Discrete(3, start=start))
    np.testing.assert_array_equal(jax.vmap(encode)(jnp.arange(start, start + 3)), np.eye(3))


@pytest.mark.parametrize("space", [spaces.Text(3), spaces.Graph(spaces.Discrete(2), None)])
def test_a_space_without_an_encoder_is_refused_by_name(space):
    with pytest.raises(ValueError, match=type(space).__name__):
        encoder(space)
