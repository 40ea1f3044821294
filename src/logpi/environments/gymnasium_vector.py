"""A Gymnasium vector environment that the user already has."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from logpi.environments.actions import to_native
from logpi.environments.gymnasium import buffer_dtype, time_limit_of
from logpi.environments.protocol import Spec, Step
from logpi.errors import LogpiError
from logpi.seeds import derive


class GymnasiumVector:
    """Any `gymnasium.vector.VectorEnv`, whichever way it resets: all give the same transitions.

    - SAME_STEP resets in the step that ends an episode and hands over the true last observation in `info`.
    - NEXT_STEP resets in the step after; that step is no transition, so its row is not `valid`.
    - DISABLED leaves the reset to the caller.

    Such an environment steps all its copies at once, so idle ones move too; what they answer is ignored.
    """

    def __init__(self, env: VectorEnv, name: str = ""):
        """Wrap it; refuses one that does not say how it resets."""
        self._env = env
        self._mode = _autoreset_mode(env, name)
        inside = getattr(env, "envs", None)  # a SyncVectorEnv's; others only have their spec
        limit = time_limit_of(inside[0]) if inside else env.spec.max_episode_steps if env.spec else None
        self.spec = Spec(name, env.num_envs, env.single_observation_space, env.single_action_space, limit)
        self._native = to_native(env.single_action_space)
        self._ended = np.zeros(env.num_envs, bool)
        self._dtype = buffer_dtype(env.single_observation_space)

    def reset(self, seed: int, group: int = 1) -> np.ndarray:
        """Begin new episodes everywhere; groups of neighbours are seeded alike.

        Vector environments seed copy i with seed + i: the seed is hashed first, so that runs 0 and 1 share no copy.
        Later episodes go on with each copy's own numbers, so in a group they are alike only as far as these are.
        """
        self._ended[:] = False
        first = derive(seed)
        seeds: Any = first if group == 1 else [first + i // group for i in range(self.spec.num_envs)]
        return np.array(self._env.reset(seed=seeds)[0], self._dtype)

    def step(self, action: np.ndarray, idle: np.ndarray) -> Step:
        """Step all copies."""
        native = self._checked(action)
        obs, reward, terminated, truncated, info = self._env.step(native)
        obs, reward = np.array(obs, self._dtype), np.asarray(reward, np.float32)
        truncated = np.asarray(truncated) & ~np.asarray(terminated)
        valid = ~idle & ~self._ended if self._mode is AutoresetMode.NEXT_STEP else ~idle
        done = terminated | truncated
        self._ended = done if self._mode is AutoresetMode.NEXT_STEP else self._ended
        next_obs = obs
        if done.any() and self._mode is AutoresetMode.SAME_STEP:
            next_obs = obs.copy()
            for i in np.flatnonzero(done):
                next_obs[i] = info["final_obs"][i]
        elif done.any() and self._mode is AutoresetMode.DISABLED:
            obs = np.array(self._env.reset(options={"reset_mask": done})[0], self._dtype)
        return Step(obs, next_obs, reward, np.array(terminated), truncated, valid)

    def close(self) -> None:
        """Close the vector environment."""
        self._env.close()

    def _checked(self, action: np.ndarray) -> Any:
        if not np.isfinite(action).all():
            row = np.argwhere(~np.isfinite(action))[0][0]
            raise LogpiError(
                f"the policy gave environment {row} of {self.spec.name} a non-finite action: {action[row]}"
            )
        return self._native(action).astype(self._env.action_space.dtype)


def _autoreset_mode(env: VectorEnv, name: str) -> AutoresetMode:
    mode = env.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        allowed = ", ".join(f"AutoresetMode.{m.name}" for m in AutoresetMode)
        raise LogpiError(
            f"vector environment {name or env} does not say how it resets: metadata['autoreset_mode'] is {mode!r};"
            f" set it to one of {allowed}"
        )
    if not isinstance(env.single_observation_space, spaces.Box | spaces.Discrete):
        raise LogpiError(f"observation space {env.single_observation_space} is not supported; supported: Box, Discrete")
    return mode
