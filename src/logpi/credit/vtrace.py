"""V-trace: values and advantages of π from windows that another policy μ made."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.credit.discounted_sum import discounted_sum
from logpi.credit.per_decision import step_ratios
from logpi.credit.td_residual import td_residuals
from logpi.types import Number, State, Trajectory


class VTrace(Credit):
    """V-trace: Φ_t = ρ_t (r_t + γ v_{t+1} − V(s_t)), target v_t = V(s_t) + Σ_{l≥t} γ^{l−t} (Π_{t≤k<l} c_k) ρ_l δ_l.

    δ is the TD residual, ρ_t = min(ρ̄, π/μ), c_t = λ min(c̄, π/μ); sums are cut at an episode's end and at the window's,
    where v is V of the true successor, 0 after a termination. The weight ρ_t of the gradient is in Φ, so the objective
    to go with it is `score`. V's fixed point is the value of the policy ∝ min(ρ̄ μ, π): V^π for ρ̄ = ∞. At π = μ with
    ρ̄, c̄ ≥ 1 it is `GAE` with the same λ in its target, and in Φ for λ = 1.

    - `gamma`: γ ∈ [0, 1], the discount.
    - `weight_limit`: ρ̄ > 0, default 1; determines the fixed point of V; `jnp.inf` for no limit.
    - `trace_limit`: c̄ in (0, ρ̄], default 1; determines the speed of convergence.
    - `gae_lambda`: λ ∈ [0, 1], default 1.

    Source: Espeholt et al. 2018 (IMPALA), eq. (1), §4.2 for Φ, Remark 2 for λ.
    """

    gamma: Number
    weight_limit: Number = 1.0
    trace_limit: Number = 1.0
    gae_lambda: Number = 1.0

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return the weighted advantage, and V-trace's target."""
        delta, value = td_residuals(state.critic, tau, self.gamma)
        ratio = step_ratios(state.policy, tau)
        rho, trace = jnp.minimum(self.weight_limit, ratio), self.gae_lambda * jnp.minimum(self.trace_limit, ratio)
        correction = discounted_sum(rho * delta, jnp.where(tau.done, 0.0, self.gamma * trace))
        later = jnp.where(tau.done, 0, jnp.concatenate([correction[1:], jnp.zeros_like(correction[:1])]))
        return rho * (delta + self.gamma * later), correction + value
