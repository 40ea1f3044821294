"""Encoders: observations of any space as one flat vector of floats."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, ArrayLike, Float, PyTree

from logpi.errors import LogpiError

Path = tuple[str | int, ...]
"""Keys of Dicts and indices of Tuples that lead from a space to one inside it."""

SUPPORTED = "Box, Discrete, MultiBinary, MultiDiscrete, Dict, Tuple"


class Ravel(eqx.Module):
    """Encoder of a Box: its entries in row-major order."""

    size: int = eqx.field(static=True)

    def __call__(self, x: ArrayLike) -> Float[Array, " D"]:
        """Return the entries as floats."""
        return jnp.ravel(x).astype(float)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """Mask of the entries that are normalized by running statistics: all."""
        return (True,) * self.size


class Bits(eqx.Module):
    """Encoder of a MultiBinary space: its entries, 0 or 1, in row-major order."""

    size: int = eqx.field(static=True)

    def __call__(self, x: ArrayLike) -> Float[Array, " D"]:
        """Return the entries as floats."""
        return jnp.ravel(x).astype(float)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """Mask of the entries that are normalized by running statistics: none."""
        return (False,) * self.size


class OneHot(eqx.Module):
    """Encoder of a Discrete space: an integer in start … start + size − 1 as a one-hot vector."""

    size: int = eqx.field(static=True)
    start: int = eqx.field(static=True)

    def __call__(self, x: ArrayLike) -> Float[Array, " D"]:
        """Return the one-hot vector."""
        return jax.nn.one_hot(x - self.start, self.size)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """Mask of the entries that are normalized by running statistics: none."""
        return (False,) * self.size


class OneHots(eqx.Module):
    """Encoder of a MultiDiscrete space: entry i in start_i … start_i + size_i − 1, as concatenated one-hot vectors."""

    sizes: tuple[int, ...] = eqx.field(static=True)
    starts: tuple[int, ...] = eqx.field(static=True)

    @property
    def size(self) -> int:
        """Length of the concatenated vector."""
        return sum(self.sizes)

    def __call__(self, x: ArrayLike) -> Float[Array, " D"]:
        """Return the one-hot vectors, concatenated."""
        # Row i has, in the columns of entry i, the values of that entry; elsewhere a value that never occurs.
        values = np.full((len(self.sizes), self.size), min(self.starts) - 1, np.int32)
        for i, (n, start, offset) in enumerate(zip(self.sizes, self.starts, self._offsets(), strict=True)):
            values[i, offset : offset + n] = start + np.arange(n)
        hits = jnp.ravel(x).astype(jnp.int32)[:, None] == jnp.asarray(values)
        return jnp.sum(hits.astype(float), axis=0)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """Mask of the entries that are normalized by running statistics: none."""
        return (False,) * self.size

    def _offsets(self) -> list[int]:
        return [0, *itertools.accumulate(self.sizes)][:-1]


class Concatenated(eqx.Module):
    """Encoder of a Dict or Tuple space: the concatenated vectors of its parts, by key or index."""

    keys: tuple[str | int, ...] = eqx.field(static=True)
    parts: tuple[Any, ...]

    @property
    def size(self) -> int:
        """Length of the concatenated vector."""
        return sum(part.size for part in self.parts)

    def __call__(self, x: PyTree) -> Float[Array, " D"]:
        """Return the vectors of the parts, concatenated."""
        vectors = [part(x[key]) for key, part in zip(self.keys, self.parts, strict=True)]
        return jnp.concatenate(vectors) if vectors else jnp.zeros(0)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """Mask of the entries that are normalized by running statistics, as in the parts."""
        return tuple(itertools.chain.from_iterable(part.normalized_entries for part in self.parts))


Encoder = Ravel | Bits | OneHot | OneHots | Concatenated


def encoder(space: spaces.Space, path: Path = (), leave_out: Callable[[Path], bool] = lambda path: False) -> Encoder:
    """Make the encoder of a space; its `size` is the length of the vector.

    - `path`: path of the space in the observation space.
    - `leave_out`: path ↦ True for a space that is not encoded.

    Raises LogpiError for a space without an encoder, naming its path.
    """
    if leave_out(path):
        return Concatenated((), ())
    match space:
        case spaces.Box():
            return Ravel(math.prod(space.shape))
        case spaces.Discrete():
            return OneHot(int(space.n), int(space.start))
        case spaces.MultiBinary():
            return Bits(math.prod(space.shape))
        case spaces.MultiDiscrete():
            return OneHots(tuple(space.nvec.ravel().tolist()), tuple(space.start.ravel().tolist()))
        case spaces.Dict() | spaces.Tuple():
            parts = subspaces(space)
            return Concatenated(
                tuple(parts), tuple(encoder(part, (*path, key), leave_out) for key, part in parts.items())
            )
    raise unsupported("observation", path, space)


def subspaces(space: spaces.Space) -> dict[str | int, spaces.Space]:
    """Return the parts of a Dict space by key, in sorted order, or of a Tuple space by index."""
    return dict(sorted(space.items())) if isinstance(space, spaces.Dict) else dict(enumerate(space))  # type: ignore[arg-type]


def space_path(kind: str, path: Path) -> str:
    """Format the path of a leaf of the "observation" or "action" space, as Python would index it."""
    return f"{kind} space" + (f": {''.join(f'[{key!r}]' for key in path)}" if path else "")


def unsupported(kind: str, path: Path, space: spaces.Space) -> LogpiError:
    """Make the error for a leaf that is not supported."""
    return LogpiError(f"{space_path(kind, path)} is {space}; supported: {SUPPORTED}")
