"""Environments of gymnax, in JAX."""

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Key, PyTree

from logpi.environments.adapters.jax_compat import default_promotion, strip_weak_types, to_scalar
from logpi.errors import LogpiError
from logpi.spaces.tree import buffer_dtype, map_leaves

LARGEST = np.finfo(np.float32).max


class Gymnax(eqx.Module):
    """One environment of gymnax, its dynamics alone: `step_env` and `reset_env`, without its own resets.

    It terminates where gymnax says so; gymnax's time limit is `time_limit`, which truncates, and which `make` applies.
    Boxes are float32; bounds as large as the largest float32 count as no bounds.

    - `env`, `params`: as `gymnax.make` gives them. `logpi.make(Gymnax(*gymnax.make("CartPole-v1")), 8)` is eight
      copies, and so is `logpi.make("gymnax:CartPole-v1", 8)`.

    Raises LogpiError for an environment of gymnax before 1.0, whose `done` mixes time limits with ends of the MDP.

    Source: Lange 2022.
    """

    env: Any = eqx.field(static=True)
    params: PyTree

    def __check_init__(self) -> None:
        if not hasattr(self.env, "is_truncated"):
            raise LogpiError(f"{type(self.env).__name__} is no environment of gymnax ≥ 1.0: it has no is_truncated")

    @property
    def observation_space(self) -> spaces.Space:
        """The space that gymnax states, as one of Gymnasium's."""
        return self._space(self.env.observation_space)

    @property
    def action_space(self) -> spaces.Space:
        """The space that gymnax states, as one of Gymnasium's."""
        return self._space(self.env.action_space)

    @property
    def time_limit(self) -> int:
        """Steps after which gymnax truncates an episode."""
        return int(self.params.max_steps_in_episode)

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        """Begin an episode: key → (state, obs)."""
        with default_promotion():
            obs, state = self.env.reset_env(jr.key_data(key), self.params)
        return strip_weak_types(state), self._as_stored(obs)

    def step(
        self, key: Key[Array, ""], state: PyTree, action: PyTree
    ) -> tuple[PyTree, PyTree, Float[Array, ""], Bool[Array, ""]]:
        """Take one step: (key, state, action) → (state, obs, reward, terminated)."""
        with default_promotion():
            obs, state, reward, terminated, _ = self.env.step_env(jr.key_data(key), state, action, self.params)
        return (
            strip_weak_types(state),
            self._as_stored(obs),
            to_scalar(reward, jnp.float32),
            to_scalar(terminated, bool),
        )

    def _space(self, of: Callable[[PyTree], object]) -> spaces.Space:
        # Bounds must be constants, even if a property is read while a program is traced.
        with default_promotion(), jax.ensure_compile_time_eval():
            return to_gymnasium_space(of(self.params))

    def _as_stored(self, obs: PyTree) -> PyTree:
        return map_leaves(self.observation_space, lambda leaf: lambda x: jnp.asarray(x, buffer_dtype(leaf)))(obs)


def to_gymnasium_space(space: Any) -> spaces.Space:
    """Convert a space of gymnax. Raises LogpiError unless it is a Box, Discrete, or a Dict or Tuple of these."""
    match getattr(space, "spaces", None):
        case Mapping() as parts:
            return spaces.Dict({name: to_gymnasium_space(part) for name, part in parts.items()})
        case list() | tuple() as parts:
            return spaces.Tuple([to_gymnasium_space(part) for part in parts])
    if hasattr(space, "low"):
        return spaces.Box(_bound(space.low, space.shape), _bound(space.high, space.shape), dtype=np.float32)
    if hasattr(space, "n"):
        return spaces.Discrete(int(space.n))
    raise LogpiError(f"gymnax's space {space} is not supported; supported: Box, Discrete, and Dict and Tuple of these")


def _bound(bound: object, shape: tuple[int, ...]) -> np.ndarray:
    x = np.broadcast_to(np.asarray(bound, np.float32), shape)
    return np.where(np.abs(x) < LARGEST, x, np.copysign(np.float32(np.inf), x))


def names() -> list[str]:
    """List the environments that gymnax has registered."""
    return list(_gymnax().registered_envs)


def make(task: str, num_envs: int, time_limit: int | None, **arguments: object) -> Gymnax:
    """Make one environment of gymnax by gymnax's own name for it; whoever asks copies it and limits its episodes."""
    del num_envs, time_limit
    with default_promotion():
        return Gymnax(*_gymnax().make(task, **arguments))


def _gymnax() -> ModuleType:
    """Import the library, by its whole name: this module has the same one."""
    return importlib.import_module("gymnax")
