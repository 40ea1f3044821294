"""Finite MDPs as environments in JAX."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Int, Key

from logpi.oracle.mdp import MDP

State = tuple[Int[Array, ""], Int[Array, ""]]


class Tabular(eqx.Module):
    """One environment with the dynamics of an MDP; the observation of state s is the unit vector e_s.

    Its state is (s, t). It terminates on arrival in a terminal state, and at the horizon if there is one. Rewards are
    not discounted: γ belongs to the learner.

    - `mdp`: the MDP. `logpi.Vmap(Tabular(mdp), 8)` is eight copies.
    """

    mdp: MDP

    @property
    def observation_space(self) -> spaces.Box:
        """Box of S numbers, which holds the unit vectors."""
        return spaces.Box(0.0, 1.0, (self.mdp.states,))

    @property
    def action_space(self) -> spaces.Discrete:
        """A actions, 0 … A − 1."""
        return spaces.Discrete(self.mdp.actions)

    @property
    def time_limit(self) -> int | None:
        """The horizon in steps; None if the MDP has none."""
        return self.mdp.horizon

    def reset(self, key: Key[Array, ""]) -> tuple[State, Float[Array, " S"]]:
        """Begin an episode: s ~ ρ0."""
        return self._at(draw(key, self.mdp.initial), jnp.int32(0))

    def step(
        self, key: Key[Array, ""], state: State, action: Int[Array, ""]
    ) -> tuple[State, Float[Array, " S"], Float[Array, ""], Bool[Array, ""]]:
        """Take one step: s' ~ P(·|s, a), reward R(s, a, s')."""
        s, time = state
        next_s = draw(key, self.mdp.transition[s, action])
        at_horizon = jnp.asarray(False) if self.mdp.horizon is None else time + 1 >= self.mdp.horizon
        next_state, obs = self._at(next_s, time + 1)
        return next_state, obs, self.mdp.reward[s, action, next_s], self.mdp.terminal[next_s] | at_horizon

    def _at(self, s: Int[Array, ""], time: Int[Array, ""]) -> tuple[State, Float[Array, " S"]]:
        return (s, time), jax.nn.one_hot(s, self.mdp.states)


def draw(key: Key[Array, ""], probability: Float[Array, " S"]) -> Int[Array, ""]:
    """Draw the first s with P(0) + … + P(s) > u: one random number; Gumbel noise would take one for each state."""
    cumulative = jnp.cumsum(probability)
    return jnp.sum(cumulative <= jr.uniform(key, dtype=probability.dtype) * cumulative[-1], dtype=jnp.int32)
