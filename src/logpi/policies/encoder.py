"""Observations of any space as one flat vector of floats."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Float

from logpi.errors import LogpiError

Path = tuple[str | int, ...]
"""The keys and places that lead from a space to one inside it."""

SUPPORTED = "Box, Discrete, MultiBinary, MultiDiscrete, Dict, Tuple"


class Ravel(eqx.Module):
    """Numbers of any shape and dtype, laid out in a row."""

    size: int = eqx.field(static=True)

    def __call__(self, x: Any) -> Float[Array, " D"]:
        """The entries as floats."""
        return jnp.ravel(x).astype(float)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """All of them are quantities, which have a scale to be normalized by."""
        return (True,) * self.size


class Bits(eqx.Module):
    """Switches of any shape, laid out in a row: 0 or 1."""

    size: int = eqx.field(static=True)

    def __call__(self, x: Any) -> Float[Array, " D"]:
        """The switches as floats."""
        return jnp.ravel(x).astype(float)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """None of them is a quantity."""
        return (False,) * self.size


class OneHot(eqx.Module):
    """A whole number in start … start + size − 1 as a unit vector."""

    size: int = eqx.field(static=True)
    start: int = eqx.field(static=True)

    def __call__(self, x: Any) -> Float[Array, " D"]:
        """1 at the number's place, 0 elsewhere."""
        return jax.nn.one_hot(x - self.start, self.size)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """None of them is a quantity."""
        return (False,) * self.size


class OneHots(eqx.Module):
    """Whole numbers of any shape, the i-th in start_i … start_i + size_i − 1, as unit vectors one after the other."""

    sizes: tuple[int, ...] = eqx.field(static=True)
    starts: tuple[int, ...] = eqx.field(static=True)

    @property
    def size(self) -> int:
        """The length of all the vectors together."""
        return sum(self.sizes)

    def __call__(self, x: Any) -> Float[Array, " D"]:
        """1 at each number's place, 0 elsewhere."""
        # Row i holds the numbers that stand for its entry's places, and for others' one that never occurs.
        places = np.full((len(self.sizes), self.size), min(self.starts) - 1, np.int32)
        for i, (n, start, first) in enumerate(zip(self.sizes, self.starts, self._firsts(), strict=True)):
            places[i, first : first + n] = start + np.arange(n)
        hits = jnp.ravel(x).astype(jnp.int32)[:, None] == jnp.asarray(places)
        return jnp.sum(hits.astype(float), axis=0)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """None of them is a quantity."""
        return (False,) * self.size

    def _firsts(self) -> list[int]:
        return [0, *itertools.accumulate(self.sizes)][:-1]


class Concatenated(eqx.Module):
    """The encodings of an observation's parts one after the other; a part is found under its key or its place."""

    keys: tuple[str | int, ...] = eqx.field(static=True)
    parts: tuple[Any, ...]

    @property
    def size(self) -> int:
        """The length of all the vectors together."""
        return sum(part.size for part in self.parts)

    def __call__(self, x: Any) -> Float[Array, " D"]:
        """The parts' vectors in a row."""
        vectors = [part(x[key]) for key, part in zip(self.keys, self.parts, strict=True)]
        return jnp.concatenate(vectors) if vectors else jnp.zeros(0)

    @property
    def normalized_entries(self) -> tuple[bool, ...]:
        """Which entries are quantities: those that are in the parts."""
        return tuple(itertools.chain.from_iterable(part.normalized_entries for part in self.parts))


Encoder = Ravel | Bits | OneHot | OneHots | Concatenated


def encoder(space: spaces.Space, path: Path = (), leave_out: Callable[[Path], bool] = lambda path: False) -> Encoder:
    """The encoder that fits a space; its `size` is the length of the vector it gives.

    - `path`: where the space stands in the whole observation space: the keys that lead to it.
    - `leave_out`: says of a path whether what stands there is not to be encoded.

    Raises LogpiError for a space that logpi has no encoder for, naming its path.
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
    """The parts of a Dict or Tuple space by their keys or places; those of a Dict in the order of its keys."""
    return dict(sorted(space.items())) if isinstance(space, spaces.Dict) else dict(enumerate(space))  # type: ignore[arg-type]


def space_path(kind: str, path: Path) -> str:
    """What a leaf of the "observation" or "action" space is called: its path as Python would index it."""
    return f"{kind} space" + (f": {''.join(f'[{key!r}]' for key in path)}" if path else "")


def unsupported(kind: str, path: Path, space: spaces.Space) -> LogpiError:
    """What to raise for a leaf that logpi cannot use."""
    return LogpiError(f"{space_path(kind, path)} is {space}; supported: {SUPPORTED}")
