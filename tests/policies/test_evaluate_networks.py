"""Networks on rows: a chunked evaluation answers as one at once does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from logpi.policies.evaluate import map_rows, map_rows_in_chunks


@pytest.mark.parametrize("chunk", [1, 4, 6, 50])
def test_a_chunked_evaluation_has_the_answers_and_axes_of_one_at_once(chunk):
    obs, action = {"x": jnp.arange(12.0).reshape(2, 3, 2)}, jnp.arange(6.0).reshape(2, 3)
    network = lambda obs, action: {"value": obs["x"].sum() + 100 * action, "vector": obs["x"]}
    at_once, chunked = map_rows(network, 2, obs, action), map_rows_in_chunks(network, 2, chunk, obs, action)
    assert at_once["value"][1, 0] == 6 + 7 + 300
    jax.tree.map(np.testing.assert_array_equal, at_once, chunked)
