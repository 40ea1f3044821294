"""What a return is taken for, before it weighs a direction."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def identity_shaping(returns: Float[Array, "2 M"]) -> Float[Array, "2 M"]:
    """The returns themselves."""
    return returns


def centered_ranks(returns: Float[Array, "2 M"]) -> Float[Array, "2 M"]:
    """Ranks among all the returns, from −½ for the least to ½ for the greatest; equal returns share their mean rank.

    Source: Salimans et al. 2017 (there, equal returns are ranked by their place).

        >>> centered_ranks(jnp.array([[3.0, 100.0], [1.0, 1.0]]))
        Array([[ 0.16666669,  0.5       ],
               [-0.3333333 , -0.3333333 ]], dtype=float32)
    """
    flat = jnp.ravel(returns)
    ordered = jnp.sort(flat)
    rank = (jnp.searchsorted(ordered, flat) + jnp.searchsorted(ordered, flat, side="right") - 1) / 2
    return (rank / max(flat.size - 1, 1) - 0.5).reshape(returns.shape).astype(returns.dtype)
