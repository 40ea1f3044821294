"""Φ_t = Â_t^(n): the n-step advantage."""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.credit.td_residual import td_residuals
from logpi.types import Number, State, Trajectory


class NStep(Credit):
    """n-step advantage Φ_t = r_t + γ r_{t+1} + … + γ^{n−1} r_{t+n−1} + γ^n V(s_{t+n}) − V(s_t).

    It equals Σ_{l<n} γ^l δ_{t+l}; the sum is cut at an episode's end and at the window's end, where V bootstraps. The
    target is Φ_t + V(s_t).

    - `gamma`: γ ∈ [0, 1], the discount.
    - `n`: number of rewards, ≥ 1; 1 is the TD residual.

    Source: Mnih et al. 2016, §4; Schulman et al. 2016, eqs. (11)–(15).
    """

    gamma: Number
    n: int = eqx.field(static=True)

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return the n-step advantage, and the n-step return."""
        delta, value = td_residuals(state.critic, tau, self.gamma)
        discount = jnp.where(tau.done, 0.0, self.gamma)
        later = lambda y: jnp.concatenate([y[1:], jnp.zeros_like(y[:1])])
        advantage = lax.fori_loop(1, self.n, lambda _, y: delta + discount * later(y), delta)
        return advantage, advantage + value
