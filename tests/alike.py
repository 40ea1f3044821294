"""Environments shaped as gymnax's and Brax's are, around any single environment, with those libraries' habits:
Python's numbers in the state, ranks and dtypes mixed, a state that is written to. They need neither library."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces

OF_BRAX = (  # what Brax warns of by itself
    "ignore:JAXopt is no longer maintained:DeprecationWarning",
    "ignore:Brax System:UserWarning",
    "ignore:Accessing `.*` directly from `.*` is deprecated:DeprecationWarning",
)


def mixed(x):
    """x, by way of ranks and dtypes that only JAX's usual rules let pass."""
    return x + (jnp.arange(2) * jnp.zeros((1, 2))).sum() * jnp.int32(1)


class GymnaxParams(eqx.Module):
    max_steps_in_episode: int = 6


class GymnaxState(eqx.Module):
    inner: Any
    time: Any


class GymnaxDiscrete:
    def __init__(self, n):
        self.n, self.shape = n, ()


class GymnaxBox:
    def __init__(self, low, high, shape):
        self.low, self.high, self.shape = low, high, shape


class GymnaxMany:
    def __init__(self, parts):
        self.spaces = parts


class LikeGymnax:
    """`step_env` and `reset_env` of a single environment; the two methods that reset by themselves are not for us."""

    def __init__(self, single):
        self.single = single

    def observation_space(self, params):
        return gymnaxs(self.single.observation_space)

    def action_space(self, params):
        return gymnaxs(self.single.action_space)

    def reset_env(self, key, params):
        state, obs = self.single.reset(jr.wrap_key_data(key))
        return obs, GymnaxState(state, 0)

    def step_env(self, key, state, action, params):
        inner, obs, reward, terminated = self.single.step(jr.wrap_key_data(key), state.inner, action)
        return obs, GymnaxState(inner, state.time + 1), mixed(reward)[None], terminated, {"gamma": 1.0 - terminated}

    def is_truncated(self, state, params):
        return state.time >= params.max_steps_in_episode


class BeforeGymnaxOne:
    """As before gymnax 1.0: `done` is a time limit as well as an end, and there is no way to ask which."""

    def is_terminal(self, state, params):
        return state.time >= params.max_steps_in_episode


def gymnaxs(space):
    """The space as gymnax says it: bounds in JAX, or one number for all; where there is none, the largest float."""
    if isinstance(space, spaces.Discrete):
        return GymnaxDiscrete(space.n)
    largest = jnp.finfo(jnp.float32).max
    low, high = (jnp.clip(jnp.asarray(bound), -largest, largest) for bound in (space.low, space.high))
    return GymnaxBox(low, float(high[0]) if (high == high[0]).all() else high, space.shape)


class BraxState(eqx.Module):
    pipeline_state: Any
    obs: Any
    reward: Any
    done: Any
    metrics: Any
    info: Any


class LikeBrax:
    """`reset` and `step` of a single environment; `acted` says what an action in −1 … 1 is to it."""

    action_size = 1

    def __init__(self, single, acted=lambda action: action, seen=lambda obs: obs):
        self.single, self.acted, self.seen = single, acted, seen

    def reset(self, rng):
        state, obs = self.single.reset(jr.wrap_key_data(rng))
        reward, done = jnp.zeros(2)
        return BraxState(state, self.seen(obs), reward, done, {"x": reward}, {"rng": rng})

    def step(self, state, action):
        key, action = jr.wrap_key_data(state.info["rng"]), self.acted(action)
        inner, obs, reward, terminated = self.single.step(key, state.pipeline_state, action)
        state.metrics.update(x=mixed(reward))
        done = jnp.where(terminated, 1.0, 0.0)
        return BraxState(inner, self.seen(obs), mixed(reward), done, state.metrics, state.info)


class FirstAgain:
    """A wrapper that keeps the first observation in the state, as those do that reset to it."""

    def __init__(self, env, key):
        self.env, self.key, self.action_size = env, key, env.action_size

    def reset(self, rng):
        state = self.env.reset(rng)
        state.info[self.key] = state.obs
        return state
