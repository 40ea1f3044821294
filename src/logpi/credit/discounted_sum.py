"""The backward recursion of returns, advantages and traces."""

from jax import lax
from jaxtyping import Array, Float


def discounted_sum(x: Float[Array, "T N"], gamma: Float[Array, "T N"]) -> Float[Array, "T N"]:
    """Compute y_t = x_t + γ_t · y_{t+1}, with y_T = 0.

    - `x`: the terms.
    - `gamma`: the factor γ_t of each row; 0 cuts the sum: nothing after row t enters y_t.

        >>> import jax.numpy as jnp
        >>> discounted_sum(jnp.ones((3, 1)), jnp.full((3, 1), 0.5))[:, 0]
        Array([1.75, 1.5 , 1.  ], dtype=float32)
    """

    def body(following: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        total = row[0] + row[1] * following
        return total, total

    return lax.scan(body, x[0] * 0, (x, gamma), reverse=True)[1]
