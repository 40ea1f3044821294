"""Φ_t = Â_t^GAE(γ,λ): generalized advantage estimation."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.credit.discounted_sum import discounted_sum
from logpi.credit.td_residual import td_residuals
from logpi.types import Number, State, Trajectory


class GAE(Credit):
    """Generalized advantage estimation: Φ_t = Σ_l (γλ)^l δ_{t+l}, and V's target Φ_t + V(s_t), the λ-return.

    Φ_t is the mixture (1−λ) Σ_n λ^{n−1} Â_t^(n) of all n-step advantages: λ = 0 gives the one-step TD residual, λ = 1
    the Monte-Carlo return minus V(s_t). The recursion is cut where an episode terminates or truncates; V bootstraps at
    truncations and at the window's end.

    - `gamma`: γ ∈ [0, 1], the discount.
    - `gae_lambda`: λ ∈ [0, 1]; lower means less variance and more bias from the critic.

    Source: Schulman et al. 2016, eq. (16).
    """

    gamma: Number
    gae_lambda: Number

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return the advantage, and the λ-return."""
        delta, value = td_residuals(state.critic, tau, self.gamma)
        advantage = discounted_sum(delta, jnp.where(tau.done, 0.0, self.gamma * self.gae_lambda))
        return advantage, advantage + value
