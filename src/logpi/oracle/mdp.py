"""Finite MDPs with exact answers about policies."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from logpi.oracle import gradient, optimal, solve, trajectories
from logpi.oracle.checks import as_table, check
from logpi.oracle.solve import TabularPolicy
from logpi.types import Trajectory

Table: TypeAlias = Array | np.ndarray | Sequence[Any]
"""An array, or nested lists of numbers."""


class MDP(eqx.Module):
    """The finite MDP (S, A, P, R, ρ0, γ), with exact U, ∇U, V, Q, A, occupancy and Fisher matrix of a policy.

    - `transition`: P[s, a, s'] = P(s'|s, a), rows over s' that sum to 1.
    - `reward`: R[s, a, s'], finite.
    - `initial`: ρ0[s], no weight on terminal states.
    - `gamma`: γ ∈ [0, 1]; less than 1 unless there is a horizon, or terminal states that every state can reach.
    - `horizon`: H ≥ 1, the number of steps after which an episode terminates; None for infinite.
    - `terminal`: bool[s]; an episode terminates on arrival in such a state, which is worth 0. Its own
      rows of the tables have no effect.

    A policy is a table of logits [S, A], or any callable from one observation to a `Categorical`, where the
    observation of state s is the unit vector e_s. With a horizon, a table may also be [H, S, A], one for each time,
    and V, Q, A and occupancy have a leading axis of time. Raises LogpiError for tables that are no MDP, naming the
    entry at fault.

        >>> import jax.numpy as jnp, numpy as np
        >>> two = MDP(np.full((2, 2, 2), 0.5), np.ones((2, 2, 2)), np.array([1.0, 0.0]), gamma=0.5)
        >>> two.utility(jnp.zeros((2, 2)))
        Array(2., dtype=float32)
    """

    transition: Float[Array, "S A S"]
    reward: Float[Array, "S A S"]
    initial: Float[Array, " S"]
    gamma: Float[Array, ""]
    terminal: Bool[Array, " S"]
    horizon: int | None = eqx.field(static=True)

    def __init__(
        self,
        transition: Table,
        reward: Table,
        initial: Table,
        gamma: float | Table,
        horizon: int | None = None,
        terminal: Table | None = None,
    ):
        """Build an MDP from arrays or nested lists."""
        given = {"transition": transition, "reward": reward, "initial": initial}
        tables = [as_table(name, x) for name, x in given.items()]
        ends = np.zeros(tables[0].shape[:1], bool) if terminal is None else np.asarray(terminal, bool)
        check(tables[0], tables[1], tables[2], float(as_table("gamma", gamma)), horizon, ends)
        self.transition, self.reward, self.initial = (jnp.asarray(x, float) for x in tables)
        self.gamma = jnp.asarray(gamma, float)
        self.terminal, self.horizon = jnp.asarray(ends), horizon

    @property
    def states(self) -> int:
        """S, the number of states, terminal ones included."""
        return self.transition.shape[0]

    @property
    def actions(self) -> int:
        """A, the number of actions."""
        return self.transition.shape[1]

    def utility(self, policy: TabularPolicy) -> Float[Array, ""]:
        """U = E Σ_t γ^t r_t = Σ_s ρ0(s) V(s)."""
        return solve.utility(self, policy)

    def gradient(self, policy: TabularPolicy) -> PyTree:
        """∇_θ U, exact, as a tree like the trainable part of the policy (an array like the table, for a table)."""
        return gradient.gradient(self, policy)

    def value(self, policy: TabularPolicy) -> Float[Array, "*H S"]:
        """V(s) = E[Σ_{l≥t} γ^{l−t} r_l | s_t = s], 0 in terminal states."""
        return solve.values(self, policy)[0]

    def action_value(self, policy: TabularPolicy) -> Float[Array, "*H S A"]:
        """Q(s, a) = Σ_s' P(s'|s, a) (R(s, a, s') + γ V(s')), 0 in terminal states."""
        return solve.values(self, policy)[1]

    def advantage(self, policy: TabularPolicy) -> Float[Array, "*H S A"]:
        """A(s, a) = Q(s, a) − V(s)."""
        value, action_value = solve.values(self, policy)
        return action_value - value[..., None]

    def occupancy(self, policy: TabularPolicy) -> Float[Array, "*H S"]:
        """d(s) = Σ_t γ^t P(s_t = s, not ended): sums to 1/(1 − γ) if no episode ends. With a horizon, d_t(s)."""
        return solve.occupancy(self, policy)

    def fisher(self, policy: TabularPolicy) -> Float[Array, "P P"]:
        """F = E_{s~d, a~π}[∇log π ∇log πᵀ] for the flat θ, d the occupancy normalized to sum 1."""
        return gradient.fisher(self, policy)

    def optimal(self) -> optimal.Optimum:
        """An optimal policy, as a table of logits, and its utility."""
        return optimal.optimal(self)

    def trajectories(self, policy: TabularPolicy, at_most: int = 100_000) -> Trajectory:
        """All trajectories of positive probability, one per column.

        Raises LogpiError without a horizon, or for more than `at_most` trajectories.
        """
        return trajectories.enumerated(self, policy, at_most)

    def log_probability(self, policy: TabularPolicy, tau: Trajectory) -> Float[Array, " N"]:
        """log p_π(τ) of whole episodes, transitions included."""
        return trajectories.log_probability(self, policy, tau)
