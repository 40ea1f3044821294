"""Random directions: independent or at right angles, with E[εεᵀ] = I either way; and what all who draw them do."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from logpi.perturbation.ars import ARS
from logpi.perturbation.directions import gaussian, orthogonal
from logpi.perturbation.evolution import EvolutionStrategies
from logpi.perturbation.regression import Regression

DRAWING = [ARS, EvolutionStrategies, Regression]


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


@pytest.mark.parametrize("kind", DRAWING)
def test_as_many_are_drawn_as_are_asked_for_else_as_many_as_are_tried_at_once(kind):
    assert (kind(0.1, num_directions=9).count(5, 4), kind(0.1).count(5, 4)) == (9, 4)


@pytest.mark.parametrize("kind", DRAWING)
def test_they_are_as_long_as_the_scale_says_and_remembered_whole(kind):
    moved = kind(0.1).directions(jr.key(0), 5, jnp.arange(4))
    np.testing.assert_array_equal(moved, 0.1 * gaussian(jr.key(0), 4, 5))
    np.testing.assert_array_equal(kind(0.1).keep(moved), moved)


@pytest.mark.parametrize("kind", DRAWING)
def test_of_several_episodes_a_member_the_mean_return_counts(kind):
    draw = np.random.default_rng(0)
    kept, (plus, minus) = jnp.asarray(draw.normal(size=(6, 4)), float), jnp.asarray(draw.normal(size=(2, 3, 6)), float)
    sides = (plus, minus), (plus.mean(axis=0)[None], minus.mean(axis=0)[None])
    got, want = (kind(0.1)(kept, *side, 2.0)[0] for side in sides)
    np.testing.assert_allclose(got, want, rtol=1e-4)
