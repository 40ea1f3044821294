"""Two computations side by side, each on a device of its own."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import PyTree

LEARNERS = "learners"  # the axis of two devices, in programs that have one


def run_concurrently(first: Callable[[], PyTree], second: Callable[[], PyTree]) -> tuple[PyTree, PyTree]:
    """(first(), second()), trees of arrays: at the same time in a program over two `LEARNERS`, else in turn.

    Either device works out its part, and both then have both parts, to the last bit.
    """
    if LEARNERS not in jax.sharding.get_abstract_mesh().axis_names:
        return first(), second()
    one, two = (jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(f)) for f in (first, second))
    mine = lambda: (first(), two)
    yours = lambda: (one, second())
    return _sum_over_learners(lax.cond(lax.axis_index(LEARNERS) == 0, mine, yours))


def _sum_over_learners(tree: PyTree) -> PyTree:
    """The tree added up over both devices: one sum for each dtype, as each takes a moment to begin."""
    leaves, structure = jax.tree.flatten(tree)
    total: dict[int, Any] = {}
    for dtype in dict.fromkeys(x.dtype for x in leaves):
        some = [i for i, x in enumerate(leaves) if x.dtype == dtype]
        flat = lax.psum(jnp.concatenate([leaves[i].ravel() for i in some]), LEARNERS)
        for i in some:
            total[i], flat = flat[: leaves[i].size].reshape(leaves[i].shape), flat[leaves[i].size :]
    return structure.unflatten([total[i] for i in range(len(leaves))])
