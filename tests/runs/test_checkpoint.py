"""One checkpoint on disk: whole or not there, told from one that is damaged, of the right shape, never code."""

import contextlib
import json
import os
import stat

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from damage import FAULTS
from gymnasium import spaces

import logpi
from logpi.runs import checkpoint

SPACE, ACTIONS = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)


def policy(hidden=(8,), seed=0, normalize=True):
    return logpi.mlp_policy(SPACE, ACTIONS, hidden=hidden, normalize=normalize, key=jr.key(seed))


def loaded(directory, like):
    return checkpoint.restore(checkpoint.read(directory), like)


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    saved, other = policy(seed=1), policy(seed=2)
    checkpoint.save(tmp_path / "a", saved, steps=7)
    again = loaded(tmp_path / "a", other)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(saved), strict=True))
    np.testing.assert_array_equal(again(jnp.ones(3)).logits, saved(jnp.ones(3)).logits)
    assert checkpoint.read(tmp_path / "a").metadata == {"steps": 7}


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_random_keys_and_scalars_come_back_as_they_were(tmp_path, impl):
    tree = {"key": jr.key(3, impl=impl), "keys": jr.split(jr.key(4), 3), "count": jnp.int32(5), "here": np.arange(4)}
    checkpoint.save(tmp_path / "a", tree)
    again = loaded(tmp_path / "a", tree)
    assert again["key"].dtype == tree["key"].dtype and again["count"].shape == ()
    np.testing.assert_array_equal(jr.key_data(again["key"]), jr.key_data(tree["key"]))
    np.testing.assert_array_equal(jr.normal(again["keys"][1]), jr.normal(tree["keys"][1]))
    assert isinstance(again["here"], np.ndarray)


def test_a_part_is_restored_by_its_place_into_shapes_alone(tmp_path):
    checkpoint.save(tmp_path / "a", {"critic": policy(seed=1), "critic_opt": jnp.ones(2)})
    shapes = jax.eval_shape(lambda: policy(seed=2))
    part = checkpoint.restore(checkpoint.read(tmp_path / "a"), shapes, "['critic']")
    np.testing.assert_array_equal(part(jnp.ones(3)).logits, policy(seed=1)(jnp.ones(3)).logits)


def test_saving_again_replaces_and_leaves_nothing_beside(tmp_path):
    checkpoint.save(tmp_path / "a", policy(seed=1))
    checkpoint.save(tmp_path / "a", policy(seed=2))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    np.testing.assert_array_equal(
        loaded(tmp_path / "a", policy())(jnp.ones(3)).logits, policy(seed=2)(jnp.ones(3)).logits
    )


def test_another_shape_is_refused_by_leaf(tmp_path):
    checkpoint.save(tmp_path / "a", policy(hidden=(8,)))
    with pytest.raises(logpi.LogpiError, match=r"network\.layers\[0\].*\(3, 8\).*\(3, 4\)"):
        loaded(tmp_path / "a", policy(hidden=(4,)))


def test_another_structure_is_refused(tmp_path):
    checkpoint.save(tmp_path / "a", policy())
    with pytest.raises(logpi.LogpiError, match="another network"):
        loaded(tmp_path / "a", policy(hidden=(8, 8)))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("file", [checkpoint.ARRAYS, checkpoint.MANIFEST])
def test_damage_is_told_and_the_file_named(tmp_path, fault, file):
    checkpoint.save(tmp_path / "a", policy(), steps=1)
    fault(tmp_path / "a" / file)
    with pytest.raises(logpi.LogpiError, match=file):
        checkpoint.read(tmp_path / "a")


def test_every_bit_of_a_manifest_counts(tmp_path):
    checkpoint.save(tmp_path / "a", {"x": jnp.ones(2)}, steps=1)
    path = tmp_path / "a" / checkpoint.MANIFEST
    whole = path.read_bytes()
    said = json.loads(whole)
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        with contextlib.suppress(logpi.LogpiError):
            assert checkpoint.read(tmp_path / "a").metadata == said["facts"]  # a blank became another blank


def test_another_schema_is_refused_by_number(tmp_path):
    checkpoint.save(tmp_path / "a", policy())
    path = tmp_path / "a" / checkpoint.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(logpi.LogpiError, match="schema 99"):
        checkpoint.read(tmp_path / "a")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        checkpoint.save(tmp_path / "a", policy())
    finally:
        os.umask(before)
    for file in (checkpoint.ARRAYS, checkpoint.MANIFEST):
        assert stat.S_IMODE((tmp_path / "a" / file).stat().st_mode) == mode
