"""Observations of any space as one flat vector of floats."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from gymnasium import spaces
from jaxtyping import Array, Float

from logpi.errors import LogpiError


class Ravel(eqx.Module):
    """Numbers of any shape and dtype, laid out in a row."""

    size: int = eqx.field(static=True)

    def __call__(self, x: Any) -> Float[Array, " D"]:
        """The entries as floats."""
        return jnp.ravel(x).astype(float)


class OneHot(eqx.Module):
    """A whole number in start … start + size − 1 as a unit vector."""

    size: int = eqx.field(static=True)
    start: int = eqx.field(static=True)

    def __call__(self, x: Any) -> Float[Array, " D"]:
        """1 at the number's place, 0 elsewhere."""
        return jax.nn.one_hot(x - self.start, self.size)


Encoder = Ravel | OneHot


def encoder(space: spaces.Space) -> Encoder:
    """The encoder that fits a space; its `size` is the length of the vector it gives.

    Raises LogpiError for a space that logpi has no encoder for, naming it.
    """
    match space:
        case spaces.Box():
            return Ravel(math.prod(space.shape))
        case spaces.Discrete():
            return OneHot(int(space.n), int(space.start))
    raise LogpiError(f"observation space {space} has no encoder; supported: Box, Discrete")
