"""Networks on disk: arrays in safetensors, their paths and shapes in JSON. Nothing that could run is ever loaded."""

import json
import os
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import safetensors.numpy
from jaxtyping import PyTree

from logpi.errors import LogpiError

SCHEMA = 1
ARRAYS, MANIFEST = "arrays.safetensors", "manifest.json"


def save(directory: Path, tree: PyTree, **facts: Any) -> None:
    """Write the arrays of a tree, and facts for people, into a directory that is complete or not there at all."""
    arrays = {path: np.asarray(leaf) for path, leaf in _leaves(tree)}
    shapes = {path: {"shape": list(x.shape), "dtype": str(x.dtype)} for path, x in arrays.items()}
    fresh = directory.with_name(f"{directory.name}.new-{os.getpid()}")
    fresh.mkdir(parents=True, exist_ok=True)
    (fresh / ARRAYS).write_bytes(safetensors.numpy.save(arrays))
    (fresh / MANIFEST).write_text(json.dumps({"schema": SCHEMA, **facts, "arrays": shapes}, indent=1))
    old = directory.with_name(f"{directory.name}.old-{os.getpid()}")
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    if old.exists():
        for file in old.iterdir():
            file.unlink()
        old.rmdir()


def load(directory: Path, like: PyTree) -> PyTree:
    """A tree like the one given, with the arrays that were saved.

    Raises LogpiError where there is no checkpoint, or where a leaf's shape is not the one saved, naming the leaf.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
        arrays = safetensors.numpy.load((directory / ARRAYS).read_bytes())
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise LogpiError(f"no readable checkpoint in {directory}: {error}") from None
    if manifest.get("schema") != SCHEMA:
        raise LogpiError(f"checkpoint {directory} has schema {manifest.get('schema')}; this version reads {SCHEMA}")
    wanted = dict(_leaves(like))
    if missing := sorted(set(wanted) ^ set(arrays)):
        raise LogpiError(f"checkpoint {directory} is of another network: it differs in {', '.join(missing[:4])}")
    for path, leaf in wanted.items():
        if arrays[path].shape != leaf.shape:
            raise LogpiError(f"checkpoint {directory}: {path} was saved as {arrays[path].shape}, expected {leaf.shape}")
    flat, treedef = jax.tree_util.tree_flatten_with_path(like)
    put = lambda path, leaf: jax.numpy.asarray(arrays[_name(path)]) if eqx.is_array(leaf) else leaf
    return jax.tree.unflatten(treedef, [put(path, leaf) for path, leaf in flat])


def _leaves(tree: PyTree) -> list[tuple[str, Any]]:
    flat = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array))[0]
    return [(_name(path), leaf) for path, leaf in flat]


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path).lstrip(".")
