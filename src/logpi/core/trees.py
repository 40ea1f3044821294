"""Loops and selections over trees that hold functions beside arrays."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, PyTree

from logpi.core.schedules import LinearSchedule


def scan(body: Callable[[PyTree, Any], tuple[PyTree, PyTree]], carry: PyTree, xs: PyTree) -> tuple[PyTree, PyTree]:
    """`jax.lax.scan` over a carry whose leaves may be functions: the arrays change, all other leaves stay fixed."""
    arrays, static = eqx.partition(carry, eqx.is_array)

    def inner(arrays: PyTree, x: PyTree) -> tuple[PyTree, PyTree]:
        new, out = body(eqx.combine(arrays, static), x)
        return eqx.filter(new, eqx.is_array), out

    arrays, outs = lax.scan(inner, arrays, xs)
    return eqx.combine(arrays, static), outs


def copy_arrays(tree: PyTree) -> PyTree:
    """Copy every array of a tree into a buffer of its own, as donation requires."""
    arrays, static = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.tree.map(jnp.array, arrays), static)


def select(condition: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """Select the arrays of `yes` if the condition holds, else those of `no`; other leaves come from `yes`."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b) if eqx.is_array(a) else a, yes, no)


def resolve(tree: PyTree, progress: float | Array) -> PyTree:
    """Replace every schedule in a tree by its value at `progress`."""
    is_schedule = lambda leaf: isinstance(leaf, LinearSchedule)
    return jax.tree.map(lambda leaf: leaf.at(progress) if is_schedule(leaf) else leaf, tree, is_leaf=is_schedule)
