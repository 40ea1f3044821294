"""Indices outside their spaces in rollouts on the device: they have no encoding, and nothing would fail by itself."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Int, PyTree

from logpi.core.numpy_trees import tree_leaves
from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.spaces.elements import index_ranges
from logpi.types import Trajectory

KEY = "out_of_range"  # of `Info`, from the compiled program to the host


def find_out_of_range(space: spaces.Space, tau: Trajectory) -> dict[str, Int[Array, "K 4"]]:
    """Find the first index outside its range in each Discrete, MultiDiscrete or MultiBinary leaf of the observations.

    Returns {KEY: rows of (whether there is one, its value, its step in the episode, its column)}, two rows a leaf,
    of `obs` and of `next_obs`; {} for a space without such leaves, whose programs stay as they are.
    """
    ranges = index_ranges(space)
    rows = [
        _first(x, bounds, tau)
        for tree in (tau.obs, tau.next_obs)
        for x, bounds in zip(tree_leaves(tree), ranges, strict=True)
        if bounds is not None
    ]
    return {KEY: jnp.stack(rows)} if rows else {}


def refuse_out_of_range(found: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """Return a program's results without KEY. Raises LogpiError where it found an index out of range.

    - `found`: what `find_out_of_range` gave, as NumPy's numbers, with any leading axes.
    """
    rest = dict(found)
    if KEY not in rest:
        return rest
    leaves = [bounds for bounds in index_ranges(spec.observation_space) if bounds is not None]
    rows = np.asarray(rest.pop(KEY)).reshape(-1, 2 * len(leaves), 4)
    if rows[..., 0].any():
        i, k = (int(n) for n in np.argwhere(rows[..., 0])[0])
        path, low, high = leaves[k % len(leaves)]
        field = "obs" if k < len(leaves) else "next_obs"
        _, value, time, column = rows[i, k].tolist()
        raise LogpiError(
            f"environment {column % spec.num_envs} of {spec.name} answered {field}{path} outside its observation space"
            f" at step {time} of an episode: {value}; allowed: {low} … {high}"
        )
    return rest


def _first(x: PyTree, bounds: tuple[str, Any, Any], tau: Trajectory) -> Int[Array, " 4"]:
    """Find the first index out of range in one leaf [T, N, ...]."""
    _, low, high = bounds
    x = x.astype(jnp.int32)
    wrong = (x < jnp.asarray(low, jnp.int32)) | (x > jnp.asarray(high, jnp.int32))
    wrong = wrong.reshape(*tau.valid.shape, -1) & tau.valid[..., None]
    place = jnp.argmax(wrong)
    row = place // wrong.shape[-1]
    numbers = [jnp.any(wrong), x.reshape(-1)[place], tau.time.reshape(-1)[row], row % tau.valid.shape[1]]
    return jnp.stack([number.astype(jnp.int32) for number in numbers])
