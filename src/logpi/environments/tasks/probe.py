"""Probes: the smallest tasks, each of which shows one kind of fault in a learner."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Int, Key

State = tuple[Float[Array, ""], Int[Array, ""]]


class Probe(eqx.Module):
    """A task of one or two steps with the reward r = constant + seen · x + done · a + both · x · a in the last one.

    The observation is x = ±1 (always +1 unless `random`) and the step's index; a ∈ [−1, 1] is the action, −1 or 1 where
    actions are discrete. All fields but `continuous` are arrays, so one compiled program serves every probe.

    Source: Jones 2018, "Debugging RL, without the agonizing pain".
    """

    constant: Float[Array, ""]
    seen: Float[Array, ""]
    done: Float[Array, ""]
    both: Float[Array, ""]
    steps: Int[Array, ""]
    random: Bool[Array, ""]
    continuous: bool = eqx.field(static=True)

    @property
    def observation_space(self) -> spaces.Box:
        """Box of (x, the step's index)."""
        return spaces.Box(-1.0, 1.0, (2,))

    @property
    def action_space(self) -> spaces.Space:
        """Two actions, or one number −1 … 1."""
        return spaces.Box(-1.0, 1.0, (1,)) if self.continuous else spaces.Discrete(2)

    def reset(self, key: Key[Array, ""]) -> tuple[State, Float[Array, " 2"]]:
        """Begin with x = +1, or with either sign at equal probability."""
        x = jnp.where(self.random, jr.rademacher(key, (), float), 1.0)
        return (x, jnp.int32(0)), jnp.stack([x, jnp.zeros(())])

    def step(self, key: Key[Array, ""], state: State, action: Array) -> tuple[State, Array, Array, Array]:
        """Take one step; the reward comes in the last one."""
        del key
        x, t = state
        a = jnp.clip(action[0], -1, 1) if self.continuous else 2.0 * action.astype(float) - 1.0
        last = t + 1 >= self.steps
        reward = jnp.where(last, self.constant + self.seen * x + self.done * a + self.both * x * a, 0.0)
        return (x, t + 1), jnp.stack([x, (t + 1).astype(float)]), reward, last


def probe(number: int, continuous: bool = False) -> Probe:
    """Make one of the five probes.

    - `number`: 1 for a constant reward, 2 for one that depends on the observation, 3 for one that comes a step later,
      4 for one that depends on the action, 5 for one that depends on both. The optimum of 4 and 5 is 1.
    - `continuous`: whether actions are numbers or one of two choices.
    """
    constant, seen, done, both = np.eye(4, dtype=np.float32)[[0, 1, 0, 2, 3][number - 1]]
    steps, random = np.int32(2 if number == 3 else 1), np.bool_(number in (2, 5))
    return Probe(*map(jnp.asarray, (constant, seen, done, both, steps, random)), continuous=continuous)
