"""J = ĝᵀθ, ĝ the score-function gradient with the baseline of least variance subtracted."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from logpi.objectives.base import Objective
from logpi.objectives.outputs import Outputs
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Batch, Memory, ravel

MIN_SCORE_NORM = 1e-10
"""Sums of squared scores up to this count as 0; squares are accurate to about 1e-7. It is absolute, no share of the
score of trajectory i itself, on which b_i must not depend."""


def scalar_product(x: Float[Array, "M P"], y: Float[Array, "M P"]) -> Float[Array, "M 1"]:
    """Compute x_i · y_i: one baseline for all parameters."""
    return jnp.sum(x * y, axis=1, keepdims=True)


def per_parameter(x: Float[Array, "M P"], y: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """Compute x_ik y_ik: a baseline for each parameter k."""
    return x * y


def leave_one_out(x: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """Compute Σ_{j≠i} x_j: estimated from the other trajectories, b_i leaves the mean gradient unchanged.

    Computed from the sums before and after i: the sum of all minus x_i would round away terms that are small beside
    x_i, and so depend on it.
    """
    none = jnp.zeros_like(x[:1])
    before = jnp.concatenate([none, jnp.cumsum(x[:-1], axis=0)])
    after = jnp.concatenate([jnp.cumsum(x[:0:-1], axis=0)[::-1], none])
    return before + after


def all_samples(x: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """Compute Σ_j x_j: less noise, but a bias of order 1/m, since i itself is included."""
    return jnp.broadcast_to(jnp.sum(x, axis=0, keepdims=True), x.shape)


def cross_half(x: Float[Array, "M P"]) -> Float[Array, "M P"]:
    """Sum over the half of the trajectories that does not contain i: unbiased, too."""
    first = (jnp.arange(x.shape[0]) < x.shape[0] // 2)[:, None]
    halves = [jnp.sum(jnp.where(side, x, 0), axis=0, keepdims=True) for side in (first, ~first)]
    return jnp.where(first, halves[1], halves[0])


class OptimalBaseline(Objective):
    """J = ĝᵀθ with ĝ = Σ_i (h_i − b_i g_i) / scale, where g_i = Σ_t ∇log π(a_t|s_t) and h_i = Σ_t ∇log π(a_t|s_t) Φ_t.

    b = E[h·g] / E[g·g] makes tr Cov(h − b g) least among all constants, and b_k = E[h_k g_k] / E[g_k²] each parameter's
    variance. With `TotalReturn`, h = R g and b = E[‖g‖² R] / E[‖g‖²].

    - `product`: `scalar_product` (default) for one constant b, `per_parameter` for one b_k per parameter.
    - `pooled`: trajectories that b_i is estimated from: `leave_one_out` (default), `cross_half` or `all_samples`.
    - `chunk`: number of trajectories whose scores are computed side by side, ≥ 1, default 16. Memory: M · P scores.

    Columns are trajectories, so the sampling unit is `"trajectory"`. Only the gradient means something, not the value.
    Source: Greensmith, Bartlett and Baxter 2004; Peters and Schaal 2008 for each parameter.
    """

    product: Callable[[Array, Array], Array] = eqx.field(static=True, default=scalar_product)
    pooled: Callable[[Array], Array] = eqx.field(static=True, default=leave_one_out)
    chunk: int = eqx.field(static=True, default=16)

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return ĝᵀθ, ĝ held fixed."""
        g, h = trajectory_scores(outputs.params, batch, self.chunk)
        weight = self.pooled(self.product(g, g))
        known = weight > MIN_SCORE_NORM
        b = jnp.where(known, self.pooled(self.product(h, g)) / jnp.where(known, weight, 1), 0)
        return jnp.sum((h - b * g) @ ravel(outputs.params)[0]) / batch.scale

    @property
    def sampling_unit(self) -> str:
        """`"trajectory"`: scores are summed over whole columns."""
        return "trajectory"

    @property
    def has_meaningful_value(self) -> bool:
        """False: ĝ changes with θ, and is held fixed."""
        return False


class Column(NamedTuple):
    """The fields of one trajectory that its score depends on; [T, M] before the columns are taken apart.

    Of networks that remember, a column is kept as rows [T, 1]: time and one column.
    """

    obs: PyTree[Shaped[Array, "T ..."]]
    action: PyTree[Shaped[Array, "T ..."]]
    credit: Float[Array, "T *one"]
    valid: Bool[Array, "T *one"]
    begins: Bool[Array, "T *one"] | None
    memory: Memory


def trajectory_scores(params: PyTree, batch: Batch, chunk: int = 16) -> tuple[Float[Array, "M P"], Float[Array, "M P"]]:
    """Compute g = Σ_t ∇log π(a_t|s_t) and h = Σ_t ∇log π(a_t|s_t) Φ_t of every column, as constants (no gradient).

    - `params`: a policy, or an `ActorCritic`, whose critic has scores of 0.
    - `chunk`: columns whose scores are computed side by side.
    """
    theta, unravel = ravel(lax.stop_gradient(eqx.filter(params, eqx.is_array)))
    rebuilt = lambda vector: eqx.combine(unravel(vector), eqx.filter(params, eqx.is_array, inverse=True))

    def sums(vector: Array, column: Column) -> Array:
        log_prob = evaluate_policy(rebuilt(vector), column).log_prob(column.action)
        log_prob = jnp.where(column.valid, log_prob, 0)
        return jnp.stack([jnp.sum(log_prob), jnp.sum(log_prob * jnp.where(column.valid, column.credit, 0))])

    rows = Column(batch.obs, batch.action, batch.credit, batch.valid, batch.begins, batch.memory)
    take_apart = lambda x: jnp.swapaxes(x, 0, 1)
    columns = jax.tree.map(take_apart if batch.begins is None else lambda x: take_apart(x)[:, :, None], rows)
    pairs = lax.map(lambda column: jax.jacrev(sums)(theta, column), columns, batch_size=chunk)
    return pairs[:, 0], pairs[:, 1]
