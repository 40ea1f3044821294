"""ĝᵀθ, ĝ the score-function gradient less the baseline that makes its variance least."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from logpi.objectives.base import Objective
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Batch, ravel

MIN_SCORE_NORM = (
    1e-10  # of sums of squared scores, each known to 1e-7 or so; no share of the own score, or b depends on it
)


def scalar_product(x: Float[Array, "M P"], y: Float[Array, "M P"]) -> Float[Array, "M 1"]:
    """x_i · y_i: one baseline for all parameters."""
    return jnp.sum(x * y, axis=1, keepdims=True)


def per_parameter(x: Float[Array, "M P"], y: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """x_ik y_ik: a baseline for each parameter k."""
    return x * y


def leave_one_out(x: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """Σ_{j≠i} x_j: what the other trajectories say, so that the mean gradient stays what it is.

    Sums of those before and after i: the sum of all less x_i would round away what is small beside x_i, and so depend
    on it.
    """
    none = jnp.zeros_like(x[:1])
    before = jnp.concatenate([none, jnp.cumsum(x[:-1], axis=0)])
    after = jnp.concatenate([jnp.cumsum(x[:0:-1], axis=0)[::-1], none])
    return before + after


def all_samples(x: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """Σ_j x_j: less noise, but a bias of order 1/m, since i itself is among them."""
    return jnp.broadcast_to(jnp.sum(x, axis=0, keepdims=True), x.shape)


def cross_half(x: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """The sum over the half of the trajectories that i is not in: unbiased too."""
    first = (jnp.arange(x.shape[0]) < x.shape[0] // 2)[:, None]
    halves = [jnp.sum(jnp.where(side, x, 0), axis=0, keepdims=True) for side in (first, ~first)]
    return jnp.where(first, halves[1], halves[0])


class OptimalBaseline(Objective):
    """ĝᵀθ with ĝ = Σ_i (h_i − b_i g_i) / scale, where g_i = Σ_t ∇log π(a_t|s_t) and h_i = Σ_t ∇log π(a_t|s_t) Φ_t.

    b = E[h·g] / E[g·g] makes tr Cov(h − b g) least among all constants, and b_k = E[h_k g_k] / E[g_k²] each parameter's
    variance. With `TotalReturn`, h = R g and b = E[‖g‖² R] / E[‖g‖²].

    - `product`: `together` for one constant, `each` for one a parameter.
    - `pooled`: whose trajectories b_i is estimated from: `others`, `cross_half` or `everyone`.
    - `chunk`: trajectories whose scores are computed side by side; all M · P of them are kept.

    Columns are trajectories, so the unit is `"trajectory"`. Only the gradient means something, not the value.
    Source: Greensmith, Bartlett and Baxter 2004; Peters and Schaal 2008 for each parameter.
    """

    product: Callable[[Any, Any], Float[Array, "M K"]] = eqx.field(static=True, default=scalar_product)
    pooled: Callable[[Any], Float[Array, "M K"]] = eqx.field(static=True, default=leave_one_out)
    chunk: int = eqx.field(static=True, default=16)

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """ĝᵀθ, ĝ held fixed."""
        g, h = trajectory_scores(params, batch, self.chunk)
        weight = self.pooled(self.product(g, g))
        known = weight > MIN_SCORE_NORM
        b = jnp.where(known, self.pooled(self.product(h, g)) / jnp.where(known, weight, 1), 0)
        return jnp.sum((h - b * g) @ ravel(params)[0]) / batch.scale

    @property
    def sampling_unit(self) -> str:
        """`"trajectory"`: scores are summed over whole columns."""
        return "trajectory"

    @property
    def has_meaningful_value(self) -> bool:
        """No: ĝ changes with θ, and is held fixed."""
        return False


class Column(NamedTuple):
    """The fields of one trajectory that its score depends on; [T, M] before the columns are taken apart."""

    obs: PyTree[Shaped[Array, "T ..."]]
    action: PyTree[Shaped[Array, "T ..."]]
    credit: Float[Array, " T"]
    valid: Bool[Array, " T"]


def trajectory_scores(params: PyTree, batch: Batch, chunk: int = 16) -> tuple[Float[Array, "M P"], Float[Array, "M P"]]:
    """(g, h): Σ_t ∇log π(a_t|s_t) and Σ_t ∇log π(a_t|s_t) Φ_t of every column, with no gradient of their own."""
    theta, unravel = ravel(lax.stop_gradient(eqx.filter(params, eqx.is_array)))
    rebuilt = lambda vector: eqx.combine(unravel(vector), eqx.filter(params, eqx.is_array, inverse=True))

    def sums(vector: Array, column: Column) -> Array:
        log_prob = evaluate_policy(rebuilt(vector), column).log_prob(column.action)
        log_prob = jnp.where(column.valid, log_prob, 0)
        return jnp.stack([jnp.sum(log_prob), jnp.sum(log_prob * jnp.where(column.valid, column.credit, 0))])

    rows = Column(batch.obs, batch.action, batch.credit, batch.valid)
    columns = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), rows)
    pairs = lax.map(lambda column: jax.jacrev(sums)(theta, column), columns, batch_size=chunk)
    return pairs[:, 0], pairs[:, 1]
