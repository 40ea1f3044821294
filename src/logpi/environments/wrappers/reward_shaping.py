"""Potential-based reward shaping: rewards that guide learning and leave the optimal policies as they are."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import gymnasium
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree


class RewardShaping(eqx.Module):
    """A single JAX environment with the shaped reward r + γ Φ(s') − Φ(s), where Φ := 0 if the task terminates.

    The sum over an episode telescopes: U changes by −E Φ(s₀) for every policy, so their order and the gradient stay the
    same, and Q becomes Q − Φ(s). A time limit set from outside ends an episode at Φ(s_T), not 0: then this holds if V
    bootstraps beyond the cut, or if the limit is part of the task and terminates.

    - `single`: the environment; `Vmap(RewardShaping(CartPole(), potential, 0.99), 8, 500)` is eight shaped copies.
    - `potential`: Φ, a function of one observation.
    - `gamma`: γ, the learner's own; with another, the optimal policy may change.

    Source: Ng, Harada and Russell 1999, Theorem 1; Grześ 2017 for the potential of terminal states.
    """

    single: Any
    potential: Callable[[PyTree], Float[Array, ""]]
    gamma: Any

    @property
    def observation_space(self) -> gymnasium.Space:
        """The space of the environment inside."""
        return self.single.observation_space

    @property
    def action_space(self) -> gymnasium.Space:
        """The space of the environment inside."""
        return self.single.action_space

    @property
    def time_limit(self) -> int | None:
        """The time limit of the environment inside, if it has one."""
        return getattr(self.single, "time_limit", None)

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        """Reset the environment inside; the state also holds Φ(s₀)."""
        state, obs = self.single.reset(key)
        return (state, self.potential(obs)), obs

    def step(
        self, key: Key[Array, ""], state: PyTree, action: object
    ) -> tuple[PyTree, PyTree, Float[Array, ""], Bool[Array, ""]]:
        """Step the environment inside, and shape the reward."""
        inner, before = state
        inner, obs, reward, terminated = self.single.step(key, inner, action)
        after = self.potential(obs)
        shaped = reward + self.gamma * jnp.where(terminated, 0, after) - before
        return (inner, after), obs, shaped, terminated


class RewardShapingWrapper(gymnasium.Wrapper):
    """A Gymnasium environment with the shaped reward r + γ Φ(s') − Φ(s), where Φ := 0 if it terminates.

    - `env`: one environment, with or without a time limit around it.
    - `potential`: Φ, a function of one observation as the environment gives it.
    - `gamma`: γ.
    """

    def __init__(self, env: gymnasium.Env, potential: Callable[[Any], float], gamma: float):
        """Wrap the environment."""
        gymnasium.Wrapper.__init__(self, env)
        self._potential, self._gamma, self._before = potential, gamma, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment inside."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._before = float(self._potential(obs))
        return obs, info

    def step(self, action: object) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the environment inside, and shape the reward."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        after = float(self._potential(obs))
        shaped = float(reward) + self._gamma * (0.0 if terminated else after) - self._before
        self._before = after
        return obs, shaped, terminated, truncated, info
