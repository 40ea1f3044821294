"""N copies of one environment written in JAX."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Key, PyTree

from logpi.environments.protocol import SingleEnvironment, Spec, Step
from logpi.spaces.actions import to_native


class Vmap(eqx.Module):
    """N copies of a single environment, each reset in the step in which its episode ends (an `Environment`).

    - `single`: the dynamics.
    - `num_envs`: N.
    - `time_limit`: steps after which an episode is truncated; None for no limit.
    - `name`: for the spec; by default the name of the single environment's class.
    """

    single: SingleEnvironment
    num_envs: int = eqx.field(static=True)
    time_limit: int | None = eqx.field(static=True, default=None)
    name: str = eqx.field(static=True, default="")

    @property
    def spec(self) -> Spec:
        """Name, spaces, number of copies, time limit."""
        space, actions = self.single.observation_space, self.single.action_space
        return Spec(self.name or type(self.single).__name__, self.num_envs, space, actions, self.time_limit)

    def reset(self, key: Key[Array, "..."]) -> tuple[PyTree, PyTree]:
        """Begin an episode everywhere, with one key for all copies or one for each."""
        state, obs = jax.vmap(self.single.reset)(self._key_per_copy(key))
        return (state, jnp.zeros(self.num_envs, jnp.int32)), obs

    def step(self, key: Key[Array, "..."], state: PyTree, action: PyTree) -> tuple[PyTree, Step]:
        """Step all copies, and begin the next episode where one ended."""
        native = to_native(self.single.action_space)(action)
        keys = jax.vmap(jr.split)(key) if key.ndim else jr.split(key, (self.num_envs, 2))
        return jax.vmap(self._step_one)(keys, state, native)

    def _key_per_copy(self, key: Key[Array, "..."]) -> Key[Array, " N"]:
        """Split one key for N copies; N keys stay as they are."""
        return key if key.ndim else jr.split(key, self.num_envs)

    def _step_one(self, keys: Key[Array, " 2"], state: PyTree, action: PyTree) -> tuple[PyTree, Step]:
        """Step one copy. A reset is computed in every step, since a compiled program cannot skip it for some copies."""
        inner, time = state
        k_step, k_reset = keys
        inner, next_obs, reward, terminated = self.single.step(k_step, inner, action)
        over = jnp.asarray(False) if self.time_limit is None else time + 1 >= self.time_limit
        done = terminated | over
        if_done = lambda new, old: jax.tree.map(lambda a, b: jnp.where(done, a, b), new, old)
        new_state, first_obs = self.single.reset(k_reset)
        state = (if_done(new_state, inner), jnp.where(done, 0, time + 1))
        step = Step(if_done(first_obs, next_obs), next_obs, reward, terminated, over & ~terminated, jnp.asarray(True))
        return state, step
