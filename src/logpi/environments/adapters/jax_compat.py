"""Differences of other libraries' JAX code, removed: their promotion rules, weak types and shapes of scalars."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree


@contextmanager
def default_promotion() -> Iterator[None]:
    """Use JAX's default promotion of ranks and dtypes, which other libraries rely on, whatever the caller's is."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def strip_weak_types(state: PyTree) -> PyTree:
    """Replace Python numbers and weakly typed arrays, so that the state has the same types before and after a step."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x)), state)


def to_scalar(x: ArrayLike, dtype: type) -> Array:
    """Convert a reward or a flag, given as a number, an array [] or an array [1], to an array [] of the dtype."""
    return jnp.asarray(x, dtype).reshape(())
