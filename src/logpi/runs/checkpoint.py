"""One checkpoint on disk: arrays in safetensors, their description in JSON. Nothing executable is ever loaded.

A checkpoint is a directory that is either complete or absent: it is written under a temporary name, forced to disk and
renamed. Its manifest holds the digests of the arrays and of itself, so that a flipped bit is detected.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Array, PyTree

from logpi.errors import LogpiError
from logpi.runs.files import (
    LARGEST_JSON,
    check_directory,
    parse_object,
    read_bytes,
    temporary_name,
    write_new_file,
)
from logpi.runs.migrations import SCHEMA, check_schema, migrate_arrays
from logpi.runs.schema import NAME, OBJECT, check_fields

Leaf: TypeAlias = Array | np.ndarray | jax.ShapeDtypeStruct

ARRAYS, MANIFEST = "arrays.safetensors", "manifest.json"
FIELDS = {"sha256": NAME, "facts": OBJECT}  # of a manifest, besides its schema and its seal


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint.

    - `path`: the directory.
    - `arrays`: the arrays by their paths in the saved tree, under the names of today's schema.
    - `metadata`: the facts that were saved with them, as JSON.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    metadata: dict[str, Any]


def save(directory: Path, tree: PyTree, **facts: object) -> None:
    """Write the arrays of a tree, and facts about them, into a directory; one of that name is replaced.

    Raises OSError where they cannot be written; an earlier checkpoint of that name is then untouched.
    """
    data = safetensors.numpy.save(arrays_of(tree))
    manifest = {"schema": SCHEMA, "facts": facts, "sha256": _digest(data)}
    fresh = temporary_name(directory, "new")
    try:
        fresh.mkdir()
        write_new_file(fresh / ARRAYS, data)
        write_new_file(fresh / MANIFEST, json.dumps(manifest | {"seal": _seal(manifest)}, indent=1).encode())
        remove(directory)
        fresh.rename(directory)
        _force(directory.parent)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def read(directory: Path) -> Checkpoint:
    """Read the checkpoint in a directory, of this schema or an earlier one.

    Raises LogpiError, naming the file, where a file is missing or damaged, or its schema is not one that can be read.
    """
    check_directory(directory)
    manifest = _manifest(directory / MANIFEST)
    try:
        data = read_bytes(directory / ARRAYS)
    except OSError as error:
        raise LogpiError(f"{directory / ARRAYS} cannot be read: {error.strerror}") from None
    if _digest(data) != manifest["sha256"]:
        raise LogpiError(f"{directory / ARRAYS} is damaged: it is not what was saved")
    try:
        arrays = migrate_arrays(safetensors.numpy.load(data), manifest["schema"])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, MemoryError, OverflowError) as error:
        raise LogpiError(f"{directory / ARRAYS} is no safetensors file: {error}") from None
    return Checkpoint(directory, arrays, manifest["facts"])


def restore(saved: Checkpoint, like: PyTree, prefix: str = "") -> PyTree:
    """Return a tree like the one given, with the arrays saved under `prefix`.

    Leaves of `like` may be shapes alone (`jax.ShapeDtypeStruct`). Raises LogpiError where a leaf is missing or has
    another shape or dtype, naming the leaf.
    """
    expected_leaves = dict(_leaves(like, prefix))
    below = (f"{prefix}.", f"{prefix}[") if prefix else ("",)
    found = {path for path in saved.arrays if path == prefix or path.startswith(below)}
    if differs := sorted(set(expected_leaves) ^ found):
        raise LogpiError(f"checkpoint {saved.path} is of another network: it differs in {', '.join(differs[:4])}")
    for path, leaf in expected_leaves.items():
        found_kind, expected_kind = _kind(saved.arrays[path]), _kind(_data(leaf))
        if found_kind != expected_kind:
            raise LogpiError(f"checkpoint {saved.path}: {path} was saved as {found_kind}, expected {expected_kind}")
    return load_unchecked(saved, like, prefix)


def load_unchecked(saved: Checkpoint, like: PyTree, prefix: str = "") -> PyTree:
    """Restore arrays whose shapes are not known beforehand: only the structure of `like` has to match.

    Raises KeyError where the checkpoint lacks a leaf.
    """
    flat, treedef = jax.tree_util.tree_flatten_with_path(like)
    put = lambda path, leaf: _put(saved.arrays[_name(path, prefix)], leaf) if _is_array(leaf) else leaf
    return jax.tree.unflatten(treedef, [put(path, leaf) for path, leaf in flat])


def arrays_of(tree: PyTree) -> dict[str, np.ndarray]:
    """Return the arrays of a tree by their paths; a random key by its data."""
    return {path: np.asarray(jax.device_get(_data(leaf)), order="C") for path, leaf in _leaves(tree)}


def remove(directory: Path) -> None:
    """Remove a checkpoint. It is renamed first, so that a reader never finds a part of it.

    Raises LogpiError for what is no directory, or a link to one.
    """
    check_directory(directory)
    if directory.exists():
        old = temporary_name(directory, "old")
        directory.rename(old)
        shutil.rmtree(old)


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = parse_object(read_bytes(path, LARGEST_JSON), path)
    except OSError as error:
        raise LogpiError(f"{path} cannot be read: {error.strerror}") from None
    seal = manifest.pop("seal", None)
    check_schema(manifest.get("schema"), path)
    if seal != _seal(manifest):
        raise LogpiError(f"{path} is damaged: it is not what was saved")
    check_fields(manifest, FIELDS, str(path))
    return manifest


def _seal(manifest: dict[str, Any]) -> str:
    return _digest(json.dumps(manifest, sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _force(directory: Path) -> None:
    """Force a directory, and thereby a rename in it, to disk; systems other than POSIX do so by themselves."""
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _leaves(tree: PyTree, prefix: str = "") -> list[tuple[str, Any]]:
    flat = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, _is_array))[0]
    return [(_name(path, prefix), leaf) for path, leaf in flat]


def _name(path: jax.tree_util.KeyPath, prefix: str) -> str:
    return (prefix + jax.tree_util.keystr(path)).lstrip(".")


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct | np.ndarray) or eqx.is_array(leaf)


def _kind(array: Leaf) -> str:
    """Describe dtype and shape."""
    return f"{array.dtype} {tuple(array.shape)}"


def _is_key(leaf: Leaf) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _data(leaf: Leaf) -> Leaf:
    return jr.key_data(cast(Array, leaf)) if _is_key(leaf) else leaf


def _put(array: np.ndarray, leaf: Leaf) -> Array | np.ndarray:
    if _is_key(leaf):
        return jr.wrap_key_data(jax.numpy.asarray(array), impl=jr.key_impl(cast(Array, leaf)))
    return array if isinstance(leaf, np.ndarray) else jax.numpy.asarray(array)
