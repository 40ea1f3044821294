"""Random directions ε with E[εεᵀ] = I, and the methods shared by estimators that sample them."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, Key

from logpi.types import Number


def gaussian(key: Key[Array, ""], count: int, size: int) -> Float[Array, "C P"]:
    """Sample independent rows ε ~ N(0, I)."""
    return jr.normal(key, (count, size), float)


def orthogonal(key: Key[Array, ""], count: int, size: int) -> Float[Array, "C P"]:
    """Sample orthogonal rows of length √P, uniform in direction; beyond P rows, orthogonal in blocks of P.

    Whole blocks have Σ εεᵀ = C · I exactly.

    Source: Choromanski et al. 2018, "Structured evolution with compact architectures for scalable policy optimization".
    Differs: there, lengths are random as well.
    """
    width = min(count, size)
    blocks = jr.normal(key, (-(-count // width), size, width), float)
    q, r = jnp.linalg.qr(blocks)
    uniform = q * jnp.sign(jnp.diagonal(r, axis1=1, axis2=2))[:, None, :]  # QR alone fixes the signs of r's diagonal
    return jnp.sqrt(jnp.asarray(size, float)) * jax.vmap(jnp.transpose)(uniform).reshape(-1, size)[:count]


@runtime_checkable
class SamplesDirections(Protocol):
    """Estimator with random directions."""

    @property
    def sigma(self) -> Number:
        """Scale of displacements."""
        ...

    @property
    def distribution(self) -> Callable[[Key[Array, ""], int, int], Float[Array, "C P"]]:
        """Sampler of directions (key, C, P) ↦ ε [C, P], such as `gaussian`."""
        ...

    @property
    def num_directions(self) -> int | None:
        """Number of directions of one estimate; None for as many as one iteration tries."""
        ...


def default_num_directions(self: SamplesDirections, size: int, per_iteration: int) -> int:
    """Return `num_directions`, or the number that one iteration tries if it is None."""
    del size
    return self.num_directions or per_iteration


def sample_directions(
    self: SamplesDirections, key: Key[Array, ""], size: int, index: Int[Array, " C"]
) -> Float[Array, "C P"]:
    """Sample displacements σ ε, one per index."""
    return self.sigma * self.distribution(key, index.size, size)


def keep_all(self: SamplesDirections, displacements: Float[Array, "C P"]) -> Float[Array, "C P"]:
    """Return the displacements unchanged: random ones must be stored whole."""
    del self
    return displacements
