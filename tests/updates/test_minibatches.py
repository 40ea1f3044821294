"""Every valid row once an epoch, whatever the sizes; no minibatch without one."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, batch, close, gradient, policy, replaced

from logpi.objectives.score import score
from logpi.updates.minibatches import flatten_rows, full_batch, shuffled

VALID = {  # by how many of the rows are valid
    "all": lambda shape: jnp.ones(shape, bool),
    "some": lambda shape: jr.bernoulli(jr.key(3), 0.6, shape),
    "one": lambda shape: jnp.zeros(shape, bool).at[(-1,) * len(shape)].set(True),
    "none": lambda shape: jnp.zeros(shape, bool),
}


def numbered(rows):
    """The rows' numbers in the place of their credit."""
    return replaced(rows, credit=jnp.arange(float(rows.valid.size)).reshape(rows.valid.shape))


def taken(parts):
    """The numbers of the valid rows of each minibatch."""
    minibatches = [parts.take(jnp.int32(i)) for i in range(int(parts.count))]
    return [np.asarray(m.credit)[np.asarray(m.valid)].astype(int) for m in minibatches]


@pytest.fixture(scope="module")
def pi():
    return policy(CHOICES, jr.key(0))


@pytest.mark.thorough_after(6)
@pytest.mark.parametrize("valid", VALID)
@pytest.mark.parametrize("size", [1, 5, 12, 24, 40])
def test_every_valid_row_is_used_exactly_once(pi, key, size, valid):
    rows = numbered(batch(pi, key))
    rows = replaced(rows, valid=VALID[valid](rows.valid.shape))
    parts = taken(shuffled(rows, size, "step", key))
    np.testing.assert_array_equal(np.sort(np.concatenate([[], *parts])), np.flatnonzero(rows.valid))
    assert len(parts) == -(-int(rows.valid.sum()) // size)
    assert all(0 < len(part) <= size for part in parts)


@pytest.mark.thorough_after(5)
@pytest.mark.parametrize("valid", VALID)
@pytest.mark.parametrize("size", [1, 6, 15, 24, 100])
def test_columns_stay_together_where_trajectories_are_the_unit(pi, key, size, valid):
    """6 steps of 4 environments: a minibatch of 15 rows is one of 2 whole columns, in the order of time."""
    rows = numbered(batch(pi, key, shape=(6, 4)))
    rows = replaced(rows, valid=VALID[valid](rows.valid.shape))
    parts = shuffled(rows, size, "trajectory", key)
    found = []
    for i in range(int(parts.count)):
        part = parts.take(jnp.int32(i))
        assert part.valid.shape == (6, max(1, size // 6)) and part.valid.any()
        for column, counts in zip(part.credit.T, part.valid.T, strict=True):
            np.testing.assert_array_equal(np.diff(column), 4)
            whole_column = np.asarray(rows.valid)[:, int(column[0])]
            np.testing.assert_array_equal(counts, whole_column if counts.any() else False)
            found += [int(column[0])] if counts.any() else []
    assert sorted(found) == np.flatnonzero(np.any(rows.valid, axis=0)).tolist()


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("unit", ["step", "trajectory"])
@pytest.mark.parametrize("scale", [4.0, 24.0])
def test_gradients_weighted_by_their_share_add_up_to_the_batchs(pi, key, unit, scale):
    """Σ_i (n_i/n) ∇J_i = ∇J: a minibatch estimates what the batch is the mean of, ragged or not."""
    rows = replaced(batch(pi, key, shape=(6, 4)), scale=jnp.float32(scale))
    rows = replaced(rows, valid=VALID["some"]((6, 4)))
    parts = shuffled(rows, 10, unit, key)
    pieces = [parts.take(jnp.int32(i)) for i in range(int(parts.count))]
    shares = jnp.array([jnp.sum(piece.valid) / jnp.sum(rows.valid) for piece in pieces])
    gradients = [gradient(score, pi, piece) for piece in pieces]
    weighted = jax.tree.map(lambda *g: jnp.tensordot(shares, jnp.stack(g), 1), *gradients)
    close(weighted, gradient(score, pi, rows), atol=1e-6)
    assert len(pieces) > 1 and len({*shares.tolist()}) > 1


def test_all_fields_of_a_row_travel_together(pi, key):
    rows = numbered(batch(pi, key))
    part = shuffled(rows, 7, "step", key).take(jnp.int32(0))
    index = part.credit.astype(int)
    for name in ("obs", "action", "log_prob", "target"):
        np.testing.assert_array_equal(getattr(part, name), getattr(rows, name)[index])
    np.testing.assert_array_equal(part.old.logits, rows.old.logits[index])


def test_the_order_is_random_and_fixed_by_the_key(pi, key):
    rows = numbered(batch(pi, key))
    order = lambda key: np.concatenate(taken(shuffled(rows, 24, "step", key))).tolist()
    assert order(key) == order(key) != order(jr.key(1)) != list(range(24))


def test_without_a_size_the_batch_is_its_own_only_minibatch(pi, key):
    rows = batch(pi, key, shape=(6, 4))
    parts = full_batch(rows)
    assert parts.count == 1 and parts.take(jnp.int32(0)) is rows


def test_a_flat_batch_keeps_rows_in_the_order_of_time(pi, key):
    rows = batch(pi, key, shape=(6, 4))
    np.testing.assert_array_equal(flatten_rows(rows).obs[4 * 5 + 3], rows.obs[5, 3])
    assert flatten_rows(rows).scale == rows.scale
