"""Credit from shaped rewards: r + γΦ(s') − Φ(s)."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.credit.base import Credit, CreditWrapper, next_state_values, state_values
from logpi.types import Number, State, Trajectory


class PotentialShapedCredit(CreditWrapper):
    """Credit of shaped rewards r_t + γ Φ(s_{t+1}) − Φ(s_t), for a potential Φ that is 0 at the end.

    Over an episode the potential's part of the return telescopes to −Φ(s_0), which no action can change: the return of
    every policy shifts by the same amount, so the optimal policy stays optimal. For `RewardToGo` it is −Φ(s_t): a
    baseline, which leaves the mean gradient alone. Rewards shaped in any other way change both. The trajectory's own
    rewards stay as they are; the target is that of the shaped ones.

    - `credit`: the credit that is computed of the shaped rewards.
    - `potential`: obs ↦ Φ(s), any function of the state. It counts as 0 where an episode terminates and, for whole
      episodes, at a time limit too: there the return ends, and the sum must too.
    - `gamma`: γ ∈ [0, 1], the same as the credit's.

    Source: Ng, Harada and Russell 1999; Wiewiora 2003 for the baseline.
    """

    credit: Credit
    potential: PyTree
    gamma: Number

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return Φ and target of the shaped rewards."""
        ended = tau.done if tau.complete else tau.terminated
        next_potential = jnp.where(ended, 0, next_state_values(self.potential, tau))
        reward = tau.reward + self.gamma * next_potential - state_values(self.potential, tau)
        return self.credit(state, dataclasses.replace(tau, reward=jnp.where(tau.valid, reward, 0)))
