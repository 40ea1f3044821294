"""Φ_t = Q^π(s_t, a_t), from a model."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.oracle.mdp import MDP
from logpi.types import State, Trajectory


class ExactQ(Credit):
    """Exact action values Φ_t = Q^π(s_t, a_t) of the current policy: actor-critic with a perfect critic.

    The target is the same. The noise of the rewards is gone; with the factor γ^t of `TimeDiscounted` the mean gradient
    is ∇J.

    - `mdp`: the model of the task; observations are its unit vectors e_s. With a horizon, Q depends on time too.

    Source: Sutton et al. 2000, Theorem 1.
    """

    mdp: MDP

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return Q of every row, also as target."""
        table = self.mdp.action_value(state.policy)
        where = jnp.argmax(tau.obs, axis=-1)
        index = (where, tau.action) if table.ndim == 2 else (tau.time, where, tau.action)
        return table[index], table[index]
