"""Random directions ε with E[εεᵀ] = I."""

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Key


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
