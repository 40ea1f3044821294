"""Φ_t = R(τ): every action of an episode is credited with all of its return."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.errors import LogpiError
from logpi.types import Number, State, Trajectory


class TotalReturn(Credit):
    """Total return Φ_t = R(τ) = Σ_k γ^k r_k, the same for every step of the episode, also as target.

    - `gamma`: γ ∈ [0, 1], the discount, default 1.

    Needs whole episodes; raises LogpiError for windows of steps. Source: Williams 1992; Liu's notes.
    """

    gamma: Number = 1.0

    @property
    def is_discounted_from_start(self) -> bool:
        """True: R(τ) is the return of the whole episode at every step."""
        return True

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return R(τ) in every row, also as target."""
        del state
        if not tau.complete:
            raise LogpiError("TotalReturn needs whole episodes, not windows of steps: collect with Episodes()")
        reward = jnp.where(tau.valid, tau.reward, 0) * self.gamma ** tau.time.astype(tau.reward.dtype)
        total = jnp.broadcast_to(jnp.sum(reward, axis=0, keepdims=True), reward.shape)
        return total, total
