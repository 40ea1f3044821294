"""Loops and choices over trees that may hold functions beside arrays."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, PyTree

from logpi.core.schedules import LinearSchedule


def scan(body: Callable[[PyTree, Any], tuple[PyTree, PyTree]], carry: PyTree, xs: PyTree) -> tuple[PyTree, PyTree]:
    """`jax.lax.scan` in which only the arrays of the carry change; whatever else it holds stays as it is."""
    arrays, static = eqx.partition(carry, eqx.is_array)

    def inner(arrays: PyTree, x: Any) -> tuple[PyTree, PyTree]:
        new, out = body(eqx.combine(arrays, static), x)
        return eqx.filter(new, eqx.is_array), out

    arrays, outs = lax.scan(inner, arrays, xs)
    return eqx.combine(arrays, static), outs


def copy_arrays(tree: PyTree) -> PyTree:
    """The tree in new arrays, no two of them the same."""
    arrays, static = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.tree.map(jnp.array, arrays), static)


def select(condition: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """The arrays of `yes` where the condition holds, else those of `no`."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b) if eqx.is_array(a) else a, yes, no)


def resolve(tree: PyTree, progress: Any) -> PyTree:
    """The tree with every schedule in it replaced by its value at `progress`."""
    schedule = lambda leaf: isinstance(leaf, LinearSchedule)
    return jax.tree.map(lambda leaf: leaf.at(progress) if schedule(leaf) else leaf, tree, is_leaf=schedule)
