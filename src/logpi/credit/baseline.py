"""Baselines: functions that are subtracted from credit to lower the variance of the gradient estimate.

A baseline is a function (state, τ, Φ) ↦ b["T N"], used as `credit - baseline`.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import state_values
from logpi.errors import LogpiError
from logpi.types import State, Trajectory


def mean_baseline(state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
    """Compute b = (1/N) Σ_i (1/T_i) Σ_t Φ_{t,i}: one constant, the mean credit of trajectories.

    Because the mean contains the trajectory it is subtracted from, the gradient shrinks: with `TotalReturn` and m
    trajectories its expectation is (1 − 1/m) ∇J.
    """
    del state
    mean, counts = _column_means(tau, phi)
    return jnp.full_like(phi, jnp.sum(mean) / jnp.maximum(jnp.sum(counts, dtype=float), 1))


def time_mean_baseline(state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
    """Compute b_t = (1/N_t) Σ_i Φ_{t,i}, over the N_t trajectories that last beyond t: one constant per time step.

    Each contains the trajectory it is subtracted from, so time step t of the gradient shrinks by 1 − 1/N_t. Raises
    LogpiError on windows of steps, whose row index is no time of an episode.
    """
    del state
    if not tau.complete:
        raise LogpiError("time_mean_baseline needs whole episodes, not windows of steps: collect with Episodes()")
    count = jnp.maximum(jnp.sum(tau.valid, axis=1, keepdims=True, dtype=float), 1)
    mean = jnp.sum(jnp.where(tau.valid, phi, 0), axis=1, keepdims=True) / count
    return jnp.broadcast_to(mean, phi.shape)


class LeaveOneOut(eqx.Module):
    """Leave-one-out baseline b_i = mean over j ≠ i of (1/T_j) Σ_t Φ_{t,j}; 0 where there is no other trajectory.

    Independent of the trajectory it is subtracted from, so the expected gradient is unchanged.

    - `group`: number of neighboring columns that are compared with each other, ≥ 1; None (default) for all of them.

    Raises LogpiError for columns that do not fall into whole groups.
    Source: Kool, van Hoof and Welling 2019, "Buy 4 REINFORCE samples, get a baseline for free!".
    """

    group: int | None = eqx.field(static=True, default=None)

    def __call__(self, state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
        """Return b, the same for all rows of a trajectory."""
        del state
        columns = phi.shape[1]
        size = columns if self.group is None else self.group
        if size < 1 or columns % size:
            raise LogpiError(f"group is {size}; allowed: a divisor of {columns}, the number of trajectories")
        mean, counts = (x.reshape(-1, size) for x in _column_means(tau, phi))
        others = jnp.sum(counts, axis=1, keepdims=True, dtype=float) - counts.astype(float)
        left = (jnp.sum(mean, axis=1, keepdims=True) - mean) / jnp.maximum(others, 1)
        return jnp.broadcast_to(jnp.where(others > 0, left, 0).reshape(1, columns), phi.shape)


def value_baseline(state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
    """Compute b_t = V(s_t): any function of the state leaves the expected gradient unchanged."""
    del phi
    return state_values(state.critic, tau)


def _column_means(tau: Trajectory, phi: Float[Array, "T N"]) -> tuple[Float[Array, " N"], Array]:
    """Compute each trajectory's mean credit, 0 for one without valid rows, and a flag for having any."""
    count = jnp.sum(tau.valid, axis=0, dtype=float)
    return jnp.sum(jnp.where(tau.valid, phi, 0), axis=0) / jnp.maximum(count, 1), count > 0
