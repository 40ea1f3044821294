"""Random directions: independent or at right angles, with E[εεᵀ] = I either way."""

import jax
import jax.random as jr
import numpy as np
import pytest

from logpi.perturbation.directions import gaussian, orthogonal


@pytest.mark.parametrize(("count", "size"), [(3, 5), (5, 5), (15, 5)])
def test_orthogonal_rows_are_of_one_length_and_at_right_angles_within_their_block(count, size):
    rows = np.asarray(orthogonal(jr.key(0), count, size))
    assert rows.shape == (count, size)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.sqrt(size), rtol=1e-5)
    for start in range(0, count, size):
        block = rows[start : start + size]
        np.testing.assert_allclose(block @ block.T, size * np.eye(len(block)), atol=1e-4)


def test_part_of_a_block_is_cut_off():
    np.testing.assert_array_equal(orthogonal(jr.key(0), 7, 5), orthogonal(jr.key(0), 10, 5)[:7])


@pytest.mark.parametrize("draw", [gaussian, orthogonal])
def test_the_mean_outer_product_is_the_identity(draw):
    rows = np.asarray(jax.jit(jax.vmap(lambda key: draw(key, 2, 3)))(jr.split(jr.key(1), 20_000))).reshape(-1, 3)
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(3), atol=0.03)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=0.03)
