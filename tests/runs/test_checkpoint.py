"""Networks on disk: whole or not there, of the right shape, never code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

import logpi
from logpi.runs import checkpoint

SPACE, ACTIONS = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)


def policy(hidden=(8,), seed=0, normalise=True):
    return logpi.mlp_policy(SPACE, ACTIONS, hidden=hidden, normalise=normalise, key=jax.random.key(seed))


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    saved, other = policy(seed=1), policy(seed=2)
    checkpoint.save(tmp_path / "final", saved, steps=7)
    loaded = checkpoint.load(tmp_path / "final", other)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(saved), strict=True))
    np.testing.assert_array_equal(loaded(jnp.ones(3)).logits, saved(jnp.ones(3)).logits)


def test_saving_again_replaces_and_leaves_nothing_beside(tmp_path):
    checkpoint.save(tmp_path / "final", policy(seed=1))
    checkpoint.save(tmp_path / "final", policy(seed=2))
    assert [p.name for p in tmp_path.iterdir()] == ["final"]
    loaded = checkpoint.load(tmp_path / "final", policy())
    np.testing.assert_array_equal(loaded(jnp.ones(3)).logits, policy(seed=2)(jnp.ones(3)).logits)


def test_another_shape_is_refused_by_leaf(tmp_path):
    checkpoint.save(tmp_path / "final", policy(hidden=(8,)))
    with pytest.raises(logpi.LogpiError, match=r"network\.layers\[0\].*\(3, 8\).*\(3, 4\)"):
        checkpoint.load(tmp_path / "final", policy(hidden=(4,)))


def test_another_structure_is_refused(tmp_path):
    checkpoint.save(tmp_path / "final", policy())
    with pytest.raises(logpi.LogpiError, match="another network"):
        checkpoint.load(tmp_path / "final", policy(hidden=(8, 8)))


def test_a_broken_or_missing_file_is_named(tmp_path):
    with pytest.raises(logpi.LogpiError, match="no readable checkpoint"):
        checkpoint.load(tmp_path / "final", policy())
    checkpoint.save(tmp_path / "final", policy())
    arrays = tmp_path / "final" / checkpoint.ARRAYS
    arrays.write_bytes(arrays.read_bytes()[:-8])
    with pytest.raises(logpi.LogpiError, match="no readable checkpoint"):
        checkpoint.load(tmp_path / "final", policy())


def test_files_follow_the_umask(tmp_path):
    checkpoint.save(tmp_path / "final", policy())
    expected = tmp_path / "plain"
    expected.touch()
    assert (tmp_path / "final" / checkpoint.ARRAYS).stat().st_mode == expected.stat().st_mode
