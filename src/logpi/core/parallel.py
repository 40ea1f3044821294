"""Two computations at the same time, each on its own device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, PyTree

LEARNERS = "learners"  # mesh axis of two devices, in programs that have it


def run_concurrently(first: Callable[[], PyTree], second: Callable[[], PyTree]) -> tuple[PyTree, PyTree]:
    """Compute (first(), second()), trees of arrays: concurrently on a mesh with axis `LEARNERS`, else sequentially.

    Each device computes one function and contributes zeros for the other; results are exchanged with psum, bit-exactly,
    because x + 0 = x.
    """
    if LEARNERS not in jax.sharding.get_abstract_mesh().axis_names:
        return first(), second()
    zeros_first, zeros_second = (
        jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(f)) for f in (first, second)
    )
    only_first = lambda: (first(), zeros_second)
    only_second = lambda: (zeros_first, second())
    return _sum_over_learners(lax.cond(lax.axis_index(LEARNERS) == 0, only_first, only_second))


def _sum_over_learners(tree: PyTree) -> PyTree:
    """Sum a tree over both devices, with one psum per dtype: each collective has a fixed cost."""
    leaves, structure = jax.tree.flatten(tree)
    total: dict[int, Array] = {}
    for dtype in dict.fromkeys(x.dtype for x in leaves):
        indices = [i for i, x in enumerate(leaves) if x.dtype == dtype]
        flat = lax.psum(jnp.concatenate([leaves[i].ravel() for i in indices]), LEARNERS)
        for i in indices:
            total[i], flat = flat[: leaves[i].size].reshape(leaves[i].shape), flat[leaves[i].size :]
    return structure.unflatten([total[i] for i in range(len(leaves))])
