"""Baselines: what is subtracted from credit to lower its variance and, chosen well, leave its mean gradient alone.

A baseline is a function (state, τ, Φ) ↦ b["T N"], used as `credit - baseline`.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import values
from logpi.types import State, Trajectory


def mean_baseline(state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
    """b = (1/N) Σ_i (1/T_i) Σ_t Φ_{t,i}: one constant, the mean over trajectories of their mean credit.

    Because the mean contains the trajectory it is subtracted from, the gradient shrinks: with `TotalReturn` and m
    trajectories its expectation is (1 − 1/m) ∇J.
    """
    del state
    count = jnp.sum(tau.valid, axis=0, dtype=float)
    mean = jnp.sum(jnp.where(tau.valid, phi, 0), axis=0) / jnp.maximum(count, 1)
    return jnp.full_like(phi, jnp.sum(mean) / jnp.maximum(jnp.sum(count > 0, dtype=float), 1))


def value_baseline(state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
    """b_t = V(s_t): any function of the state leaves the expected gradient unchanged."""
    del phi
    return values(state.critic, tau.obs)
