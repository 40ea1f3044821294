"""Environments of Brax, in JAX, and of other libraries with the same `reset` and `step`."""

import importlib
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


class Brax(eqx.Module):
    """One environment of Brax, its dynamics alone, without wrappers for episodes and resets.

    It terminates where its state is `done`; the time limit truncates, and is applied by `make`. Observations are
    float32 without bounds, or dicts of such arrays; actions lie in −1 … 1.

    - `env`: as `brax.envs.get_environment` gives it, or an environment of MuJoCo Playground.
    - `time_limit`: steps after which an episode is truncated, default 1000: Brax's own, which it leaves to a wrapper.

    Raises LogpiError for an environment that ends or resets its episodes itself: Brax's wrapper resets every episode
    to its first state, and shows no last observation.

    Source: Freeman et al. 2021.
    """

    env: Any = eqx.field(static=True)
    time_limit: int | None = eqx.field(static=True)
    shapes: PyTree

    def __init__(self, env: Any, time_limit: int | None = 1000):
        self.env, self.time_limit = env, time_limit
        with default_promotion():
            state = jax.eval_shape(env.reset, jr.key_data(jr.key(0)))
        if wrapped := [name for name in state.info if name == "truncation" or "first_" in name]:
            raise LogpiError(
                f"{type(env).__name__} ends or resets episodes itself (its state has {wrapped[0]}): give it without"
                " wrappers for episodes and resets, as brax.envs.get_environment does"
            )
        self.shapes = state.obs

    @property
    def observation_space(self) -> spaces.Space:
        """Boxes without bounds, of the shapes that a reset gives."""
        return _space(self.shapes)

    @property
    def action_space(self) -> spaces.Box:
        """A box, −1 … 1 in each dimension."""
        return spaces.Box(-1.0, 1.0, (self.env.action_size,))

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        """Begin an episode: key → (state, obs)."""
        with default_promotion():
            state = self.env.reset(jr.key_data(key))
        return strip_weak_types(state), _as_float32(state.obs)

    def step(
        self, key: Key[Array, ""], state: PyTree, action: Float[Array, " A"]
    ) -> tuple[PyTree, PyTree, Float[Array, ""], Bool[Array, ""]]:
        """Take one step: (key, state, action) → (state, obs, reward, terminated). The dynamics use no key."""
        del key
        with default_promotion():
            state = self.env.step(state, action)
        return (
            strip_weak_types(state),
            _as_float32(state.obs),
            to_scalar(state.reward, jnp.float32),
            to_scalar(state.done, bool),
        )


def _space(shapes: PyTree) -> spaces.Space:
    if isinstance(shapes, dict):
        return spaces.Dict({name: _space(part) for name, part in shapes.items()})
    return spaces.Box(-np.inf, np.inf, shapes.shape)


def _as_float32(obs: PyTree) -> PyTree:
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), obs)


def names() -> list[str]:
    """List the environments that Brax has registered."""
    return list(_brax_envs()._envs)


def make(task: str, num_envs: int, time_limit: int | None, **arguments: object) -> Brax:
    """Make one environment of Brax by Brax's own name for it; whoever asks copies it and limits its episodes."""
    del num_envs, time_limit
    return Brax(_brax_envs().get_environment(task, **arguments))


def _brax_envs() -> ModuleType:
    """Import the library, by its whole name: this module has the same one."""
    return importlib.import_module("brax.envs")
