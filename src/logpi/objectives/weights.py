"""Importance weights w: the factors that turn averages over the data of another policy μ into averages under π."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.distributions.protocol import Distribution
from logpi.objectives.base import mean
from logpi.objectives.importance import LARGEST_LOG_RATIO
from logpi.types import Batch, Number

Average = Callable[[Array, Batch], Array]
"""(w, batch) ↦ the mean of w, of a shape that divides w."""


@runtime_checkable
class Weights(Protocol):
    """(π at the rows, batch) ↦ w, one for each row, with E_μ[w] = 1 for the mean that `average` takes."""

    def __call__(self, pi: Distribution, batch: Batch) -> Float[Array, "*B"]:
        """Return the weights; rows that pad a trajectory have one, too, so that its last row has its last weight."""
        ...

    @property
    def sampling_unit(self) -> str:
        """`"step"`, or `"trajectory"` where weights of a column's rows depend on each other."""
        ...

    @property
    def average(self) -> Average:
        """(w, batch) ↦ their mean, of a shape that divides w."""
        ...


class Ratios(eqx.Module):
    """w = exp(accumulate(log π(a|s) − log μ(a|s))), the exponent clipped to ±20.

    - `accumulate`: maps log ratios, 0 in rows that are not valid, to log weights, both [T, N] or [B].
    - `average`: (w, batch) ↦ their mean.
    - `sampling_unit`: `"step"` or `"trajectory"`.
    """

    accumulate: Callable[[Array], Array] = eqx.field(static=True)
    average: Average = eqx.field(static=True)
    sampling_unit: str = eqx.field(static=True)

    def __call__(self, pi: Distribution, batch: Batch) -> Float[Array, "*B"]:
        """Return the weights."""
        log_ratio = pi.log_prob(batch.action) - batch.log_prob
        log_weight = self.accumulate(jnp.where(batch.valid, log_ratio, 0))
        return jnp.exp(jnp.clip(log_weight, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))


def over_columns(w: Float[Array, "T N"], batch: Batch) -> Float[Array, "T 1"]:
    """Average over trajectories at each time; a trajectory that has ended keeps its last weight."""
    exists = jnp.any(batch.valid, axis=0, keepdims=True)
    return jnp.sum(jnp.where(exists, w, 0), axis=1, keepdims=True) / jnp.maximum(jnp.sum(exists, dtype=float), 1)


def _over_time(log_ratio: Float[Array, "T N"]) -> Float[Array, "T N"]:
    return jnp.broadcast_to(jnp.sum(log_ratio, axis=0, keepdims=True), log_ratio.shape)


def _up_to_each(log_ratio: Float[Array, "T N"]) -> Float[Array, "T N"]:
    return jnp.cumsum(log_ratio, axis=0)


def _of_each(log_ratio: Float[Array, "*B"]) -> Float[Array, "*B"]:
    return log_ratio


trajectory_weights = Ratios(_over_time, over_columns, "trajectory")
"""w = Π_t π(a_t|s_t) / μ(a_t|s_t) = p_π(τ) / p_μ(τ): right for any μ that takes every action π takes. Its variance
grows with the length of trajectories, as a rule exponentially. Source: Precup, Sutton and Singh 2000."""

cumulative_weights = Ratios(_up_to_each, over_columns, "trajectory")
"""w_t = Π_{k≤t} π(a_k|s_k) / μ(a_k|s_k): what has happened up to the action; what follows is left to the credit, which
is then one of π, not of μ: `PerDecision`, or a Q of π. Source: Precup, Sutton and Singh 2000."""

step_weights = Ratios(_of_each, mean, "step")
"""w_t = ρ_t = π(a_t|s_t) / μ(a_t|s_t): right for the action, wrong for the state it is taken in (d^μ, not d^π) and for
what follows it (Q^μ, not Q^π); at π = μ neither is wrong. Source: Kakade and Langford 2002."""

unit_weights = Ratios(jnp.zeros_like, mean, "step")
"""w_t = 1: the simplification ρ ≈ 1 for a π that has hardly left μ, made explicit. The gradient is that of `score`."""


class WeightsWrapper(eqx.Module):
    """Abstract importance weights made of others: every member delegates; a subclass overrides what differs.

    - `weights`: the wrapped weights.
    """

    weights: eqx.AbstractVar[Weights]

    def __call__(self, pi: Distribution, batch: Batch) -> Float[Array, "*B"]:
        """Return the wrapped weights."""
        return self.weights(pi, batch)

    @property
    def sampling_unit(self) -> str:
        """Sampling unit of the wrapped weights."""
        return self.weights.sampling_unit

    @property
    def average(self) -> Average:
        """Average of the wrapped weights."""
        return self.weights.average


class SelfNormalized(WeightsWrapper):
    """w / mean w: weights whose mean over the batch is exactly 1.

    The estimate is bounded by the largest credit and has less variance, for a bias of order 1/m.

    - `weights`: the weights to divide.

    Source: Owen 2013, Monte Carlo theory, methods and examples, §9.2; Precup, Sutton and Singh 2000.
    """

    weights: Weights

    def __call__(self, pi: Distribution, batch: Batch) -> Float[Array, "*B"]:
        """Return the weights divided by their mean."""
        w = self.weights(pi, batch)
        return w / jnp.maximum(self.average(w, batch), 1e-12)


class TruncatedWeights(WeightsWrapper):
    """min(w, c): no row counts for more than c. Less variance, for a bias towards μ.

    - `weights`: the weights to truncate.
    - `limit`: c > 0; a number, an array or a schedule.

    Source: Ionides 2008, "Truncated importance sampling".
    """

    weights: Weights
    limit: Number

    def __call__(self, pi: Distribution, batch: Batch) -> Float[Array, "*B"]:
        """Return the weights, at most c."""
        return jnp.minimum(self.weights(pi, batch), self.limit)


def effective_sample_size(weights: Weights, pi: Distribution, batch: Batch) -> dict[str, Float[Array, ""]]:
    """Compute `effective_sample_size` (Σw)²/Σw², in rows or trajectories, and `effective_share` of those that count.

    - `weights`: whose sampling unit says what is counted.
    - `pi`: π at the batch's rows.

    Source: Kong 1992.
    """
    w, counted = weights(pi, batch), batch.valid
    if weights.sampling_unit == "trajectory":
        w, counted = w[-1], jnp.any(counted, axis=0)
    w = jnp.where(counted, w, 0)
    size = jnp.sum(w) ** 2 / jnp.maximum(jnp.sum(w**2), 1e-30)
    return {"effective_sample_size": size, "effective_share": size / jnp.maximum(jnp.sum(counted, dtype=float), 1)}
