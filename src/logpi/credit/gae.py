"""Φ_t = Â_t^GAE(γ,λ): the generalized advantage."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.credit.discounted_sum import discounted_sum
from logpi.credit.td_residual import td_residuals
from logpi.types import Number, State, Trajectory


class GAE(Credit):
    """Φ_t = Σ_l (γλ)^l δ_{t+l}, the mixture (1−λ) Σ_n λ^{n−1} Â_t^(n) of all n-step advantages.

    λ = 0 is the TD residual, λ = 1 the return less V(s_t). The target is Φ_t + V(s_t), the λ-return. δ and the cuts
    at episode ends are those of `TDResidual`; the window's end is a truncation.

    - `gamma`: γ ∈ [0, 1].
    - `gae_lambda`: λ ∈ [0, 1].

    Source: Schulman et al. 2016, eq. (16).
    """

    gamma: Number
    gae_lambda: Number

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """The advantage, and the λ-return."""
        delta, value = td_residuals(state.critic, tau, self.gamma)
        advantage = discounted_sum(delta, jnp.where(tau.done, 0.0, self.gamma * self.gae_lambda))
        return advantage, advantage + value
