"""A finite MDP as an environment on the device."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Int, Key

from logpi.oracle.mdp import MDP

State = tuple[Int[Array, ""], Int[Array, ""]]


class Tabular(eqx.Module):
    """One environment that moves as an MDP does; the observation of state s is the unit vector e_s.

    Its state is (s, t). It terminates on arrival in a terminal state, and at the horizon if there is one. γ is the
    learner's: the environment pays rewards as they are.

    - `mdp`: whose dynamics. `logpi.Vmap(Tabular(mdp), 8)` is eight copies.
    """

    mdp: MDP

    @property
    def observation_space(self) -> spaces.Box:
        """Unit vectors, one a state."""
        return spaces.Box(0.0, 1.0, (self.mdp.states,))

    @property
    def action_space(self) -> spaces.Discrete:
        """0 … A − 1."""
        return spaces.Discrete(self.mdp.actions)

    @property
    def time_limit(self) -> int | None:
        """The horizon; None if nothing cuts an episode."""
        return self.mdp.horizon

    def reset(self, key: Key[Array, ""]) -> tuple[State, Float[Array, " S"]]:
        """s ~ ρ0."""
        return self._at(_draw(key, self.mdp.initial), jnp.int32(0))

    def step(
        self, key: Key[Array, ""], state: State, action: Int[Array, ""]
    ) -> tuple[State, Float[Array, " S"], Float[Array, ""], Bool[Array, ""]]:
        """s' ~ P(·|s, a), reward R(s, a, s')."""
        now, time = state
        after = _draw(key, self.mdp.transition[now, action])
        late = jnp.asarray(False) if self.mdp.horizon is None else time + 1 >= self.mdp.horizon
        stand, obs = self._at(after, time + 1)
        return stand, obs, self.mdp.reward[now, action, after], self.mdp.terminal[after] | late

    def _at(self, state: Int[Array, ""], time: Int[Array, ""]) -> tuple[State, Float[Array, " S"]]:
        return (state, time), jax.nn.one_hot(state, self.mdp.states)


def _draw(key: Key[Array, ""], probability: Float[Array, " S"]) -> Int[Array, ""]:
    """The first s with P(0) + … + P(s) > u: one random number a step, where Gumbel noise would take one a state."""
    beneath = jnp.cumsum(probability)
    return jnp.sum(beneath <= jr.uniform(key, dtype=probability.dtype) * beneath[-1], dtype=jnp.int32)
