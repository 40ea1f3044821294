"""Running statistics against NumPy's, over all valid rows at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from helpers import Reading

from logpi.policies.encoder import OneHot, Ravel
from logpi.policies.normalization import Identity, Moments, Normalize, ReturnScale, initial_moments, update_statistics
from logpi.policies.policy import encoding
from logpi.types import Frozen, trainable

RNG = np.random.default_rng(5)
ROWS = np.float32(3 * RNG.normal(size=(60, 4)) + [0, 1, -5, 20])
VALID = RNG.random(60) < 0.7
FRESH = initial_moments((4,)).value


def absorbed(chunks, rows=ROWS, valid=VALID, moments=FRESH):
    """The moments after the rows in several chunks."""
    for x, v in zip(np.array_split(rows, chunks), np.array_split(valid, chunks), strict=True):
        moments = moments.absorb(jnp.asarray(x), jnp.asarray(v))
    return moments


def assert_moments_of(moments, rows):
    rows = np.asarray(rows, float)
    assert moments.count == len(rows)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(moments.variance, rows.var(axis=0), rtol=1e-5)


@pytest.mark.parametrize("chunks", [1, 2, 5])
def test_moments_in_chunks_are_those_of_all_valid_rows(chunks):
    assert_moments_of(absorbed(chunks), ROWS[VALID])


def test_moments_of_numbers_are_those_of_their_list():
    moments = initial_moments(()).value.absorb(jnp.asarray(ROWS[:, 0]), jnp.asarray(VALID))
    assert_moments_of(moments, ROWS[VALID, 0])


@pytest.mark.parametrize("garbage", [1e6, np.inf, np.nan])
def test_invalid_rows_have_no_effect(garbage):
    poisoned = np.where(VALID[:, None], ROWS, np.float32(garbage))
    jax.tree.map(np.testing.assert_array_equal, absorbed(2, poisoned), absorbed(2))


def test_a_chunk_without_valid_rows_changes_no_bit():
    before = absorbed(1)
    after = before.absorb(jnp.full((7, 4), 1e6), jnp.zeros(7, bool))
    jax.tree.map(np.testing.assert_array_equal, after, before)


def test_nothing_seen_stays_mean_zero_and_variance_one_without_data():
    after = FRESH.absorb(jnp.full((7, 4), 1e6), jnp.zeros(7, bool))
    jax.tree.map(np.testing.assert_array_equal, after, FRESH)


def test_a_large_mean_does_not_drown_the_variance():
    rows = ROWS + np.float32(1e4)
    moments = absorbed(3, rows)
    np.testing.assert_allclose(moments.variance, rows[VALID].astype(float).var(axis=0), rtol=1e-3)


def test_normalized_data_has_mean_zero_and_variance_one():
    normalize = update_statistics(
        Normalize(Ravel(4), initial_moments((4,))), jnp.asarray(ROWS), jnp.zeros(60), jnp.asarray(VALID)
    )
    z = np.asarray(jax.vmap(normalize)(jnp.asarray(ROWS)))[VALID]
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.var(axis=0), 1, rtol=1e-5)


def test_before_any_data_normalizing_changes_nothing():
    x = jnp.array([0.5, -3.0, 0.0, 9.0])
    np.testing.assert_array_equal(Normalize(Ravel(4), initial_moments((4,)))(x), x)


def test_outliers_are_clipped_at_the_limit():
    x = jnp.array([0.5, -1e6, 1e6, 11.0])
    np.testing.assert_array_equal(Normalize(Ravel(4), initial_moments((4,)))(x), [0.5, -10.0, 10.0, 10.0])


def test_a_constant_observation_is_normalized_to_zero():
    normalize = update_statistics(
        Normalize(Ravel(1), initial_moments((1,))), jnp.full((5, 1), 7.0), jnp.zeros(5), jnp.ones(5, bool)
    )
    np.testing.assert_array_equal(normalize(jnp.array([7.0])), [0.0])


def test_statistics_are_of_encoded_observations():
    state = jnp.array([0, 1, 1, 1])
    normalize = update_statistics(
        Normalize(OneHot(2, 0), initial_moments((2,))), state, jnp.zeros(4), jnp.ones(4, bool)
    )
    np.testing.assert_allclose(normalize.moments.value.mean, [0.25, 0.75])


def test_quantities_are_normalized_and_unit_vectors_and_switches_are_left_as_they_are():
    space = spaces.Dict(
        a=spaces.Discrete(2), b=spaces.MultiBinary(2), c=spaces.Box(-9, 9, (2,)), d=spaces.Box(0, 9, ())
    )
    rows = {"a": jnp.arange(60) % 2, "b": jnp.ones((60, 2), jnp.int8), "c": jnp.asarray(ROWS[:, 2:]), "d": jnp.ones(60)}
    normalize = update_statistics(encoding(space, normalize=True)[0], rows, jnp.zeros(60), jnp.asarray(VALID))
    z = np.asarray(jax.vmap(normalize)(rows))
    np.testing.assert_array_equal(z[:, :2], np.eye(2)[np.arange(60) % 2])
    np.testing.assert_array_equal(z[:, 2:4], 1)
    np.testing.assert_allclose(z[VALID, 4:6].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z[VALID, 4:6].std(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(z[:, 6], 0)


def test_absorb_finds_every_statistic_and_touches_nothing_else():
    tree = {
        "policy": (Normalize(Ravel(4), initial_moments((4,))), jnp.arange(3.0)),
        "critic": [ReturnScale(initial_moments(())), Identity(), Reading()],
    }
    returns = jnp.asarray(ROWS[:, 3])
    new = update_statistics(tree, jnp.asarray(ROWS), returns, jnp.asarray(VALID))
    assert_moments_of(new["policy"][0].moments.value, ROWS[VALID])
    assert_moments_of(new["critic"][0].moments.value, ROWS[VALID, 3])
    np.testing.assert_array_equal(new["policy"][1], tree["policy"][1])
    assert jax.tree.structure(new) == jax.tree.structure(tree)


def test_scale_multiplies_by_the_standard_deviation_and_does_not_shift():
    scale = update_statistics(ReturnScale(initial_moments(())), None, jnp.asarray(ROWS[:, 3]), jnp.asarray(VALID))
    np.testing.assert_allclose(scale(jnp.float32(2.0)), 2 * ROWS[VALID, 3].std(), rtol=1e-5)
    assert scale(jnp.float32(0.0)) == 0


def test_statistics_are_never_learned():
    theta, _ = trainable((Normalize(Ravel(4), initial_moments((4,))), ReturnScale(initial_moments(()))))
    assert jax.tree.leaves(theta) == []


def test_unchanged_is_the_identity():
    x = jnp.asarray(ROWS)
    assert Identity()(x) is x


def test_absorbing_works_under_jit():
    moments = jax.jit(Moments.absorb)(FRESH, jnp.asarray(ROWS), jnp.asarray(VALID))
    assert_moments_of(moments, ROWS[VALID])


@pytest.mark.parametrize(("variance", "sigma"), [(4.0, 2.0), (0.01, 0.1), (1e-6, 1e-3), (1e-9, 1.0), (0.0, 1.0)])
def test_the_scale_is_the_deviation_unless_all_returns_are_equal(variance, sigma):
    scale = ReturnScale(Frozen(Moments(jnp.float32(9), jnp.float32(0), jnp.float32(variance))))
    np.testing.assert_allclose(scale.sigma, sigma, rtol=1e-6)
