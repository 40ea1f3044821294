"""Φ_t = Σ_{l≥t} γ^{l−t} r_l: an action is credited with the rewards after it."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit, next_state_values
from logpi.credit.discounted_sum import discounted_sum
from logpi.errors import LogpiError
from logpi.types import Number, State, Trajectory


class RewardToGo(Credit):
    """Reward-to-go Φ_t = Σ_{l≥t} γ^{l−t} r_l, also as target: an action cannot change the rewards before it.

    - `gamma`: γ ∈ [0, 1], the discount.

    On whole episodes a time limit is the end of a finite-horizon task. On windows of steps the sum bootstraps with
    γ V(next_obs) at a truncation and at the window's end, so it needs a critic; raises LogpiError without one.
    Source: Sutton et al. 2000; Schulman et al. 2016, eq. (1), item 2.
    """

    gamma: Number

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return the discounted return from each row on, also as target."""
        gain = tau.reward
        if not tau.complete:
            if state.critic is None:
                raise LogpiError(
                    "RewardToGo on windows of steps needs a critic for what lies beyond the window:"
                    " give the algorithm a fit and a critic, or collect with Episodes()"
                )
            bootstrap = tau.truncated.at[-1].set(True) & ~tau.terminated
            gain = gain + self.gamma * jnp.where(bootstrap, next_state_values(state.critic, tau), 0)
        total = discounted_sum(gain, jnp.where(tau.done, 0.0, self.gamma))
        return total, total
