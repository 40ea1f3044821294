"""Environments that tell which actions are legal beside their observations, made to tell it in them."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from logpi.errors import LogpiError

KEY = "action_mask"


def with_action_masks(env: Any) -> Any:
    """The environment whose observations hold `action_mask`, taken from the `info` that it gives with each.

    - `env`: a Gymnasium environment or vector environment with a Discrete or MultiDiscrete action space.

    The observation becomes a dict of `observation` and `action_mask` (a Dict space only gains the mask). The mask is as
    long as there are actions, those of a MultiDiscrete space one dimension after the other, and 0 where an action is
    illegal; where `info` has none, as at the end of an episode, every action is legal. Policies for such spaces take
    legal actions only. Raises LogpiError for another action space.

        >>> with_action_masks(gymnasium.make("CartPole-v1")).observation_space["action_mask"]
        MultiBinary(2)
    """
    return VectorActionMasks(env) if isinstance(env, VectorEnv) else ActionMasks(env)


class ActionMasks(gymnasium.Wrapper):
    def __init__(self, env: gymnasium.Env):
        gymnasium.Wrapper.__init__(self, env)
        self._size = _size(env.action_space)
        self.observation_space = _with_mask(env.observation_space, self._size)

    def reset(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        obs, info = self.env.reset(**options)
        return _joined(obs, _mask(info.get(KEY), self._size)), info

    def step(self, action: Any) -> Any:
        obs, *rest, info = self.env.step(action)
        return _joined(obs, _mask(info.get(KEY), self._size)), *rest, info


class VectorActionMasks(VectorWrapper):
    def __init__(self, env: VectorEnv):
        VectorWrapper.__init__(self, env)
        self._size = _size(env.single_action_space)
        self.single_observation_space = _with_mask(env.single_observation_space, self._size)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._last = np.ones((env.num_envs, self._size), np.int8)

    def reset(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        fresh = (options.get("options") or {}).get("reset_mask", np.ones(self.num_envs, bool)).copy()
        obs, info = self.env.reset(**options)
        self._last = np.where(fresh[:, None], self._masks(info), self._last)
        return _joined(obs, self._last), info

    def step(self, actions: Any) -> Any:
        obs, *rest, info = self.env.step(actions)
        self._last = self._masks(info)
        if self.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP and "final_obs" in info:
            finals = self._masks(info.get("final_info", {}))
            kept = [None if x is None else _joined(x, m) for x, m in zip(info["final_obs"], finals, strict=True)]
            info = info | {"final_obs": np.fromiter(kept, object, len(kept))}
        return _joined(obs, self._last), *rest, info

    def _masks(self, info: dict[str, Any]) -> np.ndarray:
        given, present = info.get(KEY), info.get(f"_{KEY}", np.ones(self.num_envs, bool))
        rows = [_mask(given[i] if given is not None and present[i] else None, self._size) for i in range(self.num_envs)]
        return np.stack(rows)


def _joined(obs: Any, mask: np.ndarray) -> dict[str, Any]:
    return {**obs, KEY: mask} if isinstance(obs, dict) else {"observation": obs, KEY: mask}


def _with_mask(space: spaces.Space, size: int) -> Any:
    parts = dict(space.items()) if isinstance(space, spaces.Dict) else {"observation": space}
    return spaces.Dict({**parts, KEY: spaces.MultiBinary(size)})


def _mask(given: Any, size: int) -> np.ndarray:
    if given is None:
        return np.ones(size, np.int8)
    parts = given if isinstance(given, tuple | list) else [given]
    return np.concatenate([np.asarray(part).reshape(-1) != 0 for part in parts]).astype(np.int8)


def _size(space: spaces.Space) -> int:
    match space:
        case spaces.Discrete():
            return int(space.n)
        case spaces.MultiDiscrete():
            return int(space.nvec.sum())
    raise LogpiError(f"action space {space} has no masks; allowed: Discrete, MultiDiscrete")
