"""Φ_t = δ_t: the temporal-difference residual of V."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.credit.base import Credit, require_state_critic
from logpi.policies.evaluate import evaluate_critic_and_next
from logpi.types import Number, State, Trajectory


class TDResidual(Credit):
    """TD residual Φ_t = δ_t = r_t + γ (1 − terminated_t) V(s_{t+1}) − V(s_t). The target is δ_t + V(s_t).

    - `gamma`: γ ∈ [0, 1], the discount.

    Source: Schulman et al. 2016, eq. (1), item 6.
    """

    gamma: Number

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return the residual, and the one-step return."""
        delta, value = td_residuals(state.critic, tau, self.gamma)
        return delta, delta + value


def td_residuals(
    critic: PyTree, tau: Trajectory, gamma: float | Float[Array, ""]
) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
    """Compute (δ, V(s)) at every row. V of the true successor counts where an episode was only truncated."""
    value, next_value = evaluate_critic_and_next(require_state_critic(critic), tau)
    return tau.reward + jnp.where(tau.terminated, 0.0, gamma) * next_value - value, value
