"""Initial weights of memory cores."""

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Key


def stacked_orthogonal(key: Key[Array, ""], inputs: int, size: int, number: int) -> Float[Array, "I NH"]:
    """Draw `number` orthogonal matrices [inputs, size], side by side: one for each gate."""
    draw = jax.nn.initializers.orthogonal()
    return jnp.concatenate([draw(k, (inputs, size)) for k in jr.split(key, number)], axis=1)
