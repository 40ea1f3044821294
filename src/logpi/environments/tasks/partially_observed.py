"""Finite POMDPs as environments in JAX."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Int, Key

from logpi.environments.tasks.tabular import draw
from logpi.oracle.pomdp import POMDP

State = tuple[Int[Array, ""], Int[Array, ""]]


class PartiallyObserved(eqx.Module):
    """One environment with the dynamics of a POMDP; observation o is shown as the unit vector e_o.

    Its state is (s, t). It terminates on arrival in a terminal state, and at the horizon if there is one: the horizon
    is part of the POMDP, and nothing is worth anything after it. Rewards are not discounted: γ belongs to the learner.

    - `pomdp`: the POMDP. `logpi.Vmap(PartiallyObserved(pomdp), 8)` is eight copies.
    """

    pomdp: POMDP

    @property
    def observation_space(self) -> spaces.Box:
        """Box of O numbers, which holds the unit vectors."""
        return spaces.Box(0.0, 1.0, (self.pomdp.observations,))

    @property
    def action_space(self) -> spaces.Discrete:
        """A actions, 0 … A − 1."""
        return spaces.Discrete(self.pomdp.actions)

    @property
    def time_limit(self) -> int | None:
        """The horizon in steps; None if the POMDP has none."""
        return self.pomdp.horizon

    def reset(self, key: Key[Array, ""]) -> tuple[State, Float[Array, " O"]]:
        """Begin an episode: s ~ ρ0, o ~ Z_0(·|s)."""
        k_state, k_observation = jr.split(key)
        s = draw(k_state, self.pomdp.initial)
        return (s, jnp.int32(0)), self._seen(draw(k_observation, self.pomdp.first_observation[s]))

    def step(
        self, key: Key[Array, ""], state: State, action: Int[Array, ""]
    ) -> tuple[State, Float[Array, " O"], Float[Array, ""], Bool[Array, ""]]:
        """Take one step: s' ~ P(·|s, a), reward R(s, a, s'), o ~ Z(·|a, s')."""
        (s, time), pomdp = state, self.pomdp
        k_state, k_observation = jr.split(key)
        next_s = draw(k_state, pomdp.transition[s, action])
        at_horizon = jnp.asarray(False) if pomdp.horizon is None else time + 1 >= pomdp.horizon
        obs = self._seen(draw(k_observation, pomdp.observation[action, next_s]))
        return (next_s, time + 1), obs, pomdp.reward[s, action, next_s], pomdp.terminal[next_s] | at_horizon

    def _seen(self, o: Int[Array, ""]) -> Float[Array, " O"]:
        return jax.nn.one_hot(o, self.pomdp.observations)
