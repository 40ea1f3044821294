"""Random directions ε with E[εεᵀ] = I, and what the estimates that draw them have in common."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, Key

from logpi.types import Number


def gaussian(key: Key[Array, ""], count: int, size: int) -> Float[Array, "C P"]:
    """Independent rows ε ~ N(0, I)."""
    return jr.normal(key, (count, size), float)


def orthogonal(key: Key[Array, ""], count: int, size: int) -> Float[Array, "C P"]:
    """Rows of length √P, uniform in direction, at right angles to each other; beyond P rows, in blocks of P.

    Whole blocks have Σ εεᵀ = C · I exactly. Source: Choromanski et al. 2018, "Structured evolution with compact
    architectures for scalable policy optimization" (there, lengths are random too).
    """
    width = min(count, size)
    draws = jr.normal(key, (-(-count // width), size, width), float)
    q, r = jnp.linalg.qr(draws)
    upright = q * jnp.sign(jnp.diagonal(r, axis1=1, axis2=2))[:, None, :]  # without the signs, not uniform
    return jnp.sqrt(jnp.asarray(size, float)) * jax.vmap(jnp.transpose)(upright).reshape(-1, size)[:count]


@runtime_checkable
class Drawing(Protocol):
    """An estimate whose directions are drawn: by `draw`, `scale` long, `number` of them if that is given."""

    @property
    def sigma(self) -> Number: ...

    @property
    def distribution(self) -> Callable: ...

    @property
    def num_directions(self) -> int | None: ...


def default_num_directions(self: Drawing, size: int, at_once: int) -> int:
    """m; as many as are tried at once where none is given."""
    del size
    return self.num_directions or at_once


def sample_directions(self: Drawing, key: Key[Array, ""], size: int, index: Int[Array, " C"]) -> Float[Array, "C P"]:
    """σ ε, drawn afresh."""
    return self.sigma * self.distribution(key, index.size, size)


def keep_all(self: Drawing, moved: Float[Array, "C P"]) -> Float[Array, "C P"]:
    """The displacements as they are."""
    del self
    return moved
