"""Φ_t: the reward-to-go of π, estimated from data of another policy μ."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.credit.base import Credit
from logpi.credit.discounted_sum import discounted_sum
from logpi.errors import LogpiError
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Number, State, Trajectory

LARGEST_LOG_RATIO = 20.0


class PerDecision(Credit):
    """Per-decision importance sampling: Φ_t = Σ_{l≥t} γ^{l−t} (Π_{t<k≤l} ρ_k) r_l, ρ_k = π(a_k|s_k) / μ(a_k|s_k).

    E_μ[Φ_t | s_t, a_t] = Q^π(s_t, a_t). Together with `ImportanceWeighted(cumulative_weights)` the mean gradient is
    ∇J of π from μ's data, with less variance than trajectory weights, which weight a reward by the actions
    after it, too. At π = μ it is `RewardToGo`.

    - `gamma`: γ ∈ [0, 1], the discount.

    Needs whole episodes; raises LogpiError for windows of steps. Source: Precup, Sutton and Singh 2000, §3.
    """

    gamma: Number

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return the weighted return from each row on, also as target."""
        if not tau.complete:
            raise LogpiError("PerDecision needs whole episodes, not windows of steps: collect with Episodes()")
        rho = step_ratios(state.policy, tau)
        next_rho = jnp.concatenate([rho[1:], jnp.zeros_like(rho[:1])])
        total = discounted_sum(tau.reward, jnp.where(tau.done, 0.0, self.gamma * next_rho))
        return total, total


def step_ratios(policy: PyTree, tau: Trajectory) -> Float[Array, "T N"]:
    """Compute ρ = π(a|s) / μ(a|s) at every row of a trajectory, the exponent clipped to ±20."""
    difference = evaluate_policy(policy, tau).log_prob(tau.action) - tau.log_prob
    return jnp.exp(jnp.clip(difference, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))
