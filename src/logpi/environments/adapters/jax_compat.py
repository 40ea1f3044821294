"""What environments of other libraries written in JAX have in common: rules of promotion and types of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree


@contextmanager
def default_promotion() -> Iterator[None]:
    """JAX's usual promotion of ranks and dtypes, which others' code counts on, however strict the caller's is."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def strip_weak_types(state: PyTree) -> PyTree:
    """The state with arrays for Python's numbers and no weak types, so that one step's is of the next one's kind."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x)), state)


def to_scalar(x: Any, dtype: Any) -> Array:
    """A reward or a flag as one number of the dtype, whether it came as a number, an array [] or an array [1]."""
    return jnp.asarray(x, dtype).reshape(())
