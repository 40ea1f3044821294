"""Importance weights: what the data of another policy μ counts for under π."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import mean
from logpi.objectives.evaluated import at_rows
from logpi.objectives.importance import LARGEST_LOG_RATIO
from logpi.types import Batch, Number


@runtime_checkable
class Weights(Protocol):
    """(π, batch) ↦ w, one for each row. `unit` is that of `Objective`; `average` is of what E_μ[w] = 1 holds."""

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, "*B"]:
        """The weights; also rows that only pad a trajectory have one, so that its last row has its last weight."""
        ...

    @property
    def sampling_unit(self) -> str:
        """`"step"`, or `"trajectory"` where rows of a column depend on each other."""
        ...

    @property
    def average(self) -> Callable[[Any, Batch], Any]:
        """(w, batch) ↦ their mean, of a shape that divides w."""
        ...


class Ratios(eqx.Module):
    """w = exp(what is accumulated over time of log π(a|s) − log μ(a|s)), the exponent held within ±20.

    - `accumulate`: log ratios, 0 in rows that are not valid, ↦ log weights.
    """

    accumulate: Callable[[Any], Float[Array, "*B"]] = eqx.field(static=True)
    average: Callable[[Any, Batch], Any] = eqx.field(static=True)
    sampling_unit: str = eqx.field(static=True)

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, "*B"]:
        """The weights."""
        log_ratio = at_rows(params, batch).log_prob(batch.action) - batch.log_prob
        total = self.accumulate(jnp.where(batch.valid, log_ratio, 0))
        return jnp.exp(jnp.clip(total, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))


def over_columns(w: Float[Array, "T N"], batch: Batch) -> Float[Array, "T 1"]:
    """The mean over trajectories at each time; those that have ended keep their last weight."""
    there = jnp.any(batch.valid, axis=0, keepdims=True)
    return jnp.sum(jnp.where(there, w, 0), axis=1, keepdims=True) / jnp.maximum(jnp.sum(there, dtype=float), 1)


def _over_time(log_ratio: Float[Array, "T N"]) -> Float[Array, "T N"]:
    return jnp.broadcast_to(jnp.sum(log_ratio, axis=0, keepdims=True), log_ratio.shape)


trajectory_weights = Ratios(_over_time, over_columns, "trajectory")
"""w = Π_t π(a_t|s_t) / μ(a_t|s_t) = p_π(τ) / p_μ(τ): right for any μ that takes every action π takes. Its variance
grows with the length of trajectories, as a rule exponentially. Source: Precup, Sutton and Singh 2000."""

cumulative_weights = Ratios(lambda log_ratio: jnp.cumsum(log_ratio, axis=0), over_columns, "trajectory")
"""w_t = Π_{k≤t} π(a_k|s_k) / μ(a_k|s_k): what has happened up to the action; what follows is left to the credit, which
is then one of π, not of μ: `PerDecision`, or a Q of π. Source: Precup, Sutton and Singh 2000."""

step_weights = Ratios(lambda log_ratio: log_ratio, mean, "step")
"""w_t = ρ_t = π(a_t|s_t) / μ(a_t|s_t): right for the action, wrong for the state it is taken in (d^μ, not d^π) and for
what follows it (Q^μ, not Q^π); at π = μ neither is wrong. Source: Kakade and Langford 2002."""

unit_weights = Ratios(jnp.zeros_like, mean, "step")
"""w_t = 1: the simplification ρ ≈ 1 for a π that has hardly left μ, made explicit. The gradient is that of `score`."""


class SelfNormalized(eqx.Module):
    """w / mean w: the weights' mean over the batch is exactly 1.

    The estimate is bounded by the largest credit and has less variance, for a bias of order 1/m.
    Source: Owen 2013, Monte Carlo theory, methods and examples, §9.2; Precup, Sutton and Singh 2000.
    """

    weights: Any

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, "*B"]:
        """The weights divided by their mean."""
        w = self.weights(params, batch)
        return w / jnp.maximum(self.average(w, batch), 1e-12)

    @property
    def sampling_unit(self) -> str:
        """The weights' own."""
        return self.weights.sampling_unit

    @property
    def average(self) -> Callable[[Any, Batch], Any]:
        """The weights' own."""
        return self.weights.average


class TruncatedWeights(eqx.Module):
    """min(w, c): no datum counts for more than c. Less variance, for a bias towards μ.

    - `max_episode_steps`: c > 0.

    Source: Ionides 2008, "Truncated importance sampling".
    """

    weights: Any
    limit: Number

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, "*B"]:
        """The weights, at most c."""
        return jnp.minimum(self.weights(params, batch), self.limit)

    @property
    def sampling_unit(self) -> str:
        """The weights' own."""
        return self.weights.sampling_unit

    @property
    def average(self) -> Callable[[Any, Batch], Any]:
        """The weights' own."""
        return self.weights.average


def effective_sample_size(weights: Weights, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
    """`effective_sample_size` (Σw)²/Σw², how many rows or trajectories the weighted batch is worth; `effective_share`
    of those there are. Source: Kong 1992."""
    w, counted = weights(params, batch), batch.valid
    if weights.sampling_unit == "trajectory":
        w, counted = w[-1], jnp.any(counted, axis=0)
    w = jnp.where(counted, w, 0)
    size = jnp.sum(w) ** 2 / jnp.maximum(jnp.sum(w**2), 1e-30)
    return {"effective_sample_size": size, "effective_share": size / jnp.maximum(jnp.sum(counted, dtype=float), 1)}
