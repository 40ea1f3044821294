"""Fitness shaping: the map from returns to the fitness that weighs a direction."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def identity_shaping(returns: Float[Array, "2 M"]) -> Float[Array, "2 M"]:
    """Return the returns unchanged: F = U."""
    return returns


def centered_ranks(returns: Float[Array, "2 M"]) -> Float[Array, "2 M"]:
    """Replace each return by its rank among all of them, scaled from −½ (least) to ½ (greatest).

    Equal returns share their mean rank.

    Source: Salimans et al. 2017. Differs: there, equal returns are ranked by their position.

        >>> centered_ranks(jnp.array([[3.0, 100.0], [1.0, 1.0]]))
        Array([[ 0.16666669,  0.5       ],
               [-0.3333333 , -0.3333333 ]], dtype=float32)
    """
    flat = jnp.ravel(returns)
    ordered = jnp.sort(flat)
    rank = (jnp.searchsorted(ordered, flat) + jnp.searchsorted(ordered, flat, side="right") - 1) / 2
    return (rank / max(flat.size - 1, 1) - 0.5).reshape(returns.shape).astype(returns.dtype)
