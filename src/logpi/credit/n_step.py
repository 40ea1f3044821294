"""Φ_t = Â_t^(n): n rewards, then V."""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.credit.td_residual import td_residuals
from logpi.types import Number, State, Trajectory


class NStep(Credit):
    """Φ_t = r_t + γ r_{t+1} + … + γ^{n−1} r_{t+n−1} + γ^n V(s_{t+n}) − V(s_t) = Σ_{l<n} γ^l δ_{t+l}.

    The sum is cut at an episode's end, and at the window's end, where V stands for what is not seen.

    - `gamma`: γ ∈ [0, 1].
    - `n`: at least 1; 1 is the TD residual.

    Source: Mnih et al. 2016, §4; Schulman et al. 2016, eqs. (11)–(15).
    """

    gamma: Number
    n: int = eqx.field(static=True)

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """The n-step advantage, and the n-step return."""
        delta, value = td_residuals(state.critic, tau, self.gamma)
        going_on = jnp.where(tau.done, 0.0, self.gamma)
        later = lambda y: jnp.concatenate([y[1:], jnp.zeros_like(y[:1])])
        advantage = lax.fori_loop(1, self.n, lambda _, y: delta + going_on * later(y), delta)
        return advantage, advantage + value
