"""Finite POMDPs with exact answers about policies that remember."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from logpi.errors import LogpiError
from logpi.oracle import beliefs, histories, history_trajectories
from logpi.oracle.checks import as_table, check, check_observations
from logpi.oracle.histories import Histories, HistoryPolicy
from logpi.oracle.mdp import MDP, Table
from logpi.oracle.solve import TabularPolicy
from logpi.types import Trajectory


class POMDP(eqx.Module):
    """The finite POMDP (S, A, O, P, R, Z, ρ0, γ), with exact U, ∇U, V, Q and Fisher matrix of a policy with memory.

    The state s_t is hidden. The policy sees o_0 ~ Z_0(·|s_0), then o_{t+1} ~ Z(·|a_t, s_{t+1}) after each action.

    - `transition`, `initial`, `gamma`, `terminal`: of the hidden state, as in `MDP`.
    - `reward`: R[s, a, s'] as in `MDP`, or R[s, a].
    - `observation`: Z[a, s', o] = P(o|a, s'), rows over o that sum to 1; or Z[s', o], the same after every action.
    - `horizon`: H ≥ 1, the number of steps after which an episode terminates; None for infinite, and then only beliefs
      can be asked for.
    - `first_observation`: Z_0[s, o] = P(o_0 = o|s_0 = s); by default Z, where that is the same after every action.

    A policy is an object with `initial()` → h and `(e_o, h)` → (`Categorical`, h'), where e_o is the unit vector of
    observation o; or one without memory, as `MDP` takes it: a table of logits [O, A], or a callable from e_o to a
    `Categorical`. What a policy knows at time t is o_0 … o_t: its own past actions only as far as these show them
    (`action_augmented` makes them do so). Exact answers enumerate the sequences of observations that are possible, not
    the actions, which are summed over. Raises LogpiError for tables that are no POMDP, naming the entry at fault.

        >>> import jax.numpy as jnp
        >>> from logpi.oracle.pomdp_problems import tiger
        >>> float(tiger(gamma=1.0, horizon=2).utility(jnp.array([[50.0, 0, 0]] * 3)))  # always listens
        -2.0

    Source: Kaelbling, Littman and Cassandra 1998, "Planning and acting in partially observable stochastic domains".
    """

    transition: Float[Array, "S A S"]
    reward: Float[Array, "S A S"]
    initial: Float[Array, " S"]
    observation: Float[Array, "A S O"]
    gamma: Float[Array, ""]
    terminal: Bool[Array, " S"]
    first_observation: Float[Array, "S O"]
    horizon: int | None = eqx.field(static=True)

    def __init__(
        self,
        transition: Table,
        reward: Table,
        initial: Table,
        observation: Table,
        gamma: float | Table,
        horizon: int | None = None,
        terminal: Table | None = None,
        first_observation: Table | None = None,
    ):
        """Build a POMDP from arrays or nested lists."""
        given = {"transition": transition, "reward": reward, "initial": initial, "observation": observation}
        moves, pays, starts, shows = (as_table(name, x) for name, x in given.items())
        if pays.ndim == 2 and pays.shape == moves.shape[:2]:
            pays = np.broadcast_to(pays[..., None], moves.shape)
        ends = np.zeros(moves.shape[:1], bool) if terminal is None else np.asarray(terminal, bool)
        check(moves, pays, starts, float(as_table("gamma", gamma)), horizon, ends)
        if first_observation is None and shows.ndim != 2:
            raise LogpiError(
                f"first_observation is missing, and observation has shape {shows.shape}, by the action before; allowed:"
                " first_observation [S, O], or an observation [S, O] that is the same after every action"
            )
        first = shows if first_observation is None else as_table("first_observation", first_observation)
        shows = np.broadcast_to(shows, (moves.shape[1], *shows.shape)) if shows.ndim == 2 else shows
        check_observations(moves.shape, shows, first)
        self.transition, self.reward, self.initial = (jnp.asarray(x, float) for x in (moves, pays, starts))
        self.observation, self.first_observation = jnp.asarray(shows, float), jnp.asarray(first, float)
        self.gamma = jnp.asarray(gamma, float)
        self.terminal, self.horizon = jnp.asarray(ends), horizon

    @property
    def states(self) -> int:
        """S, the number of hidden states, terminal ones included."""
        return self.transition.shape[0]

    @property
    def actions(self) -> int:
        """A, the number of actions."""
        return self.transition.shape[1]

    @property
    def observations(self) -> int:
        """O, the number of observations."""
        return self.observation.shape[-1]

    @property
    def mdp(self) -> MDP:
        """The MDP of the state: its optimal utility is an upper bound of this one's."""
        return MDP(self.transition, self.reward, self.initial, self.gamma, self.horizon, self.terminal)

    def histories(self, at_most: int = histories.AT_MOST) -> Histories:
        """List the sequences of observations o_0 … o_t that are possible, for every t < H.

        Raises LogpiError without a horizon, or for more than `at_most` sequences.
        """
        return histories.enumerate_histories(self, at_most)

    def utility(self, policy: HistoryPolicy | TabularPolicy) -> Float[Array, ""]:
        """U = E Σ_t γ^t r_t."""
        return histories.utility(self, policy, self.histories())

    def gradient(self, policy: HistoryPolicy | TabularPolicy) -> PyTree:
        """∇_θ U, exact, as a tree like the trainable part of the policy (an array like the table, for a table)."""
        return histories.gradient(self, policy, self.histories())

    def value(self, policy: HistoryPolicy | TabularPolicy) -> Float[Array, "H W"]:
        """V(o_0 … o_t) = E[Σ_{l≥t} γ^{l−t} r_l | o_0 … o_t], in the order of `histories()`; 0 where π never comes.

        It is an average over the actions that π may have taken before.
        """
        return histories.value(self, policy, self.histories())

    def state_value(self, policy: HistoryPolicy | TabularPolicy) -> Float[Array, "H W S"]:
        """V(o_0 … o_t, s) = E[Σ_{l≥t} γ^{l−t} r_l | o_0 … o_t, s_t = s], the value for a critic that sees the state."""
        return histories.state_values(self, policy, self.histories())[0]

    def state_action_value(self, policy: HistoryPolicy | TabularPolicy) -> Float[Array, "H W S A"]:
        """Q(o_0 … o_t, s, a) = E[Σ_{l≥t} γ^{l−t} r_l | o_0 … o_t, s_t = s, a_t = a]."""
        return histories.state_values(self, policy, self.histories())[1]

    def occupancy(self, policy: HistoryPolicy | TabularPolicy) -> Float[Array, "H W S"]:
        """d(o_0 … o_t, s) = γ^t P(o_0 … o_t, s_t = s, not ended)."""
        return histories.occupancy(self, policy, self.histories())

    def fisher(self, policy: HistoryPolicy | TabularPolicy) -> Float[Array, "P P"]:
        """F = E_{h~d, a~π}[∇log π(a|h) ∇log π(a|h)ᵀ] for the flat θ, d the occupancy normalized to sum 1."""
        return histories.fisher(self, policy, self.histories())

    def trajectories(self, policy: HistoryPolicy | TabularPolicy, at_most: int = 100_000) -> Trajectory:
        """All trajectories of observations, actions and rewards of positive probability, one per column.

        Raises LogpiError without a horizon, or for more than `at_most` trajectories.
        """
        return history_trajectories.enumerated(self, policy, at_most)

    def log_probability(self, policy: HistoryPolicy | TabularPolicy, tau: Trajectory) -> Float[Array, " N"]:
        """log p_π(τ) of whole episodes, summed over the hidden states."""
        return history_trajectories.log_probability(self, policy, tau)

    def belief(self, actions: Sequence[int], observations: Sequence[int]) -> Float[Array, " S"]:
        """b(s) = P(s_t = s | o_0, a_0, o_1 … a_{t−1}, o_t, not ended), by Bayes' rule.

        - `actions`: a_0 … a_{t−1}; `observations`: o_0 … o_t, one more.

        Zero everywhere if that cannot happen. Raises LogpiError for other lengths.
        """
        return beliefs.belief(self, actions, observations)

    def optimal_value(self, belief: Table, steps: int, at_most: int = beliefs.AT_MOST) -> float:
        """V*(b), the largest expected discounted sum of the next `steps` rewards where the state is distributed as b.

        By backward induction over the beliefs that can be reached from b. Raises LogpiError for a belief that is no
        distribution, and for more than `at_most` beliefs at one time.
        """
        return beliefs.optimal_value(self, belief, steps, at_most)

    def optimal(self, at_most: int = beliefs.AT_MOST) -> beliefs.HistoryOptimum:
        """An optimal policy, as a `HistoryTable`, and its utility. Raises LogpiError without a horizon."""
        return beliefs.optimal(self, at_most)
