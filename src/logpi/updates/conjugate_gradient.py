"""Conjugate gradients: F x = g from products with F alone."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Vector = Float[Array, " P"]


class Solution(eqx.Module):
    """Solution x of F x = g, with its residual and cost.

    - `residual`: ‖g − F x‖ / ‖g‖ as tracked by the recursion; 0 where g = 0.
    - `iterations`: number of products with F.
    - `positive`: False if a direction of negative (or undefined) curvature was met; x is the iterate before it.
    """

    x: Vector
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    positive: Bool[Array, ""]


def conjugate_gradient(
    product: Callable[[Vector], Vector], g: Vector, iterations: int, tolerance: float = 1e-10
) -> Solution:
    """Solve F x = g for a symmetric positive definite F given by `product(v) = F v`.

    - `iterations`: maximum number of products, ≥ 1.
    - `tolerance`: stop once ‖r‖² ≤ tolerance · ‖g‖², default 1e-10.

    Differs: unlike `jax.scipy.sparse.linalg.cg` it returns the residual, takes no product to find that F · 0 = 0, and
    stops at negative curvature. Source: Hestenes and Stiefel 1952; Nocedal and Wright 2006, algorithm 5.2.

        >>> import jax.numpy as jnp
        >>> conjugate_gradient(lambda v: 2.0 * v, jnp.array([2.0, 4.0]), 5).x
        Array([1., 2.], dtype=float32)
    """
    size = g @ g

    def unfinished(loop: tuple) -> Array:
        _, _, _, rr, i, positive = loop
        return (i < iterations) & (rr > tolerance * size) & positive

    def step(loop: tuple) -> tuple:
        x, r, p, rr, i, _ = loop
        q = product(p)
        curvature = p @ q
        positive = curvature > 0
        length = jnp.where(positive, rr / jnp.where(positive, curvature, 1), 0)
        r = jnp.where(positive, r - length * q, r)
        new_rr = r @ r
        return x + length * p, r, r + new_rr / rr * p, new_rr, i + 1, positive

    start = (jnp.zeros_like(g), g, g, size, jnp.int32(0), jnp.asarray(True))
    x, _, _, rr, i, positive = lax.while_loop(unfinished, step, start)
    residual = jnp.sqrt(rr / jnp.where(size > 0, size, 1))
    return Solution(x, residual, i, positive & jnp.all(jnp.isfinite(x)))
