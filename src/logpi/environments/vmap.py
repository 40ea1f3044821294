"""Many copies of one environment written in JAX."""

from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import Array, Key, PyTree

from logpi.environments.protocol import Spec, Step
from logpi.spaces.actions import to_native


@runtime_checkable
class SingleEnvironment(Protocol):
    """One environment in JAX, without time limit or reset: the dynamics alone."""

    @property
    def observation_space(self) -> spaces.Space:
        """Of one observation."""
        ...

    @property
    def action_space(self) -> spaces.Space:
        """Of one action."""
        ...

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        """key → (state, obs)."""
        ...

    def step(self, key: Key[Array, ""], state: PyTree, action: PyTree) -> tuple[PyTree, PyTree, Array, Array]:
        """(key, state, action) → (state, obs, reward, terminated)."""
        ...


class Vmap(eqx.Module):
    """`num_envs` copies of a single environment, with a time limit, each reset in the step in which it ends."""

    single: Any
    num_envs: int = eqx.field(static=True)
    time_limit: int | None = eqx.field(static=True, default=None)
    name: str = eqx.field(static=True, default="")

    @property
    def spec(self) -> Spec:
        """Spaces, number of copies, time limit."""
        space, actions = self.single.observation_space, self.single.action_space
        return Spec(self.name or type(self.single).__name__, self.num_envs, space, actions, self.time_limit)

    def reset(self, key: Key[Array, "..."]) -> tuple[PyTree, PyTree]:
        """Begin an episode everywhere; the key is one for all, or one for each."""
        state, obs = jax.vmap(self.single.reset)(self._each(key))
        return (state, jnp.zeros(self.num_envs, jnp.int32)), obs

    def step(self, key: Key[Array, "..."], state: PyTree, action: PyTree) -> tuple[PyTree, Step]:
        """One step everywhere, and a fresh start where an episode ended."""
        native = to_native(self.single.action_space)(action)
        keys = jax.vmap(jr.split)(key) if key.ndim else jr.split(key, (self.num_envs, 2))
        return jax.vmap(self._one)(keys, state, native)

    def _each(self, key: Key[Array, "..."]) -> Key[Array, " N"]:
        """A key for every copy: from one, or those given."""
        return key if key.ndim else jr.split(key, self.num_envs)

    def _one(self, keys: Key[Array, " 2"], state: PyTree, action: PyTree) -> tuple[PyTree, Step]:
        inner, time = state
        k_step, k_reset = keys
        inner, next_obs, reward, terminated = self.single.step(k_step, inner, action)
        late = jnp.asarray(False) if self.time_limit is None else time + 1 >= self.time_limit
        done = terminated | late
        pick = lambda fresh, old: jax.tree.map(lambda a, b: jnp.where(done, a, b), fresh, old)
        fresh, first = self.single.reset(k_reset)
        state = (pick(fresh, inner), jnp.where(done, 0, time + 1))
        step = Step(pick(first, next_obs), next_obs, reward, terminated, late & ~terminated, jnp.asarray(True))
        return state, step
