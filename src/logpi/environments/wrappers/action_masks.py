"""Wrappers that move action masks into the observation: `info["action_mask"]`, or the method `action_masks()`."""

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from logpi.errors import LogpiError
from logpi.spaces.elements import show_value

KEY = "action_mask"
METHOD = "action_masks"  # of an environment, as sb3-contrib asks for it


def with_action_masks(env: gymnasium.Env | VectorEnv) -> "ActionMasks | VectorActionMasks":
    """Wrap an environment so that its observations hold the `action_mask` that it gives in `info`, or by a method.

    - `env`: a Gymnasium environment or vector environment with a Discrete or MultiDiscrete action space. One
      environment may give its mask by the method `action_masks()` instead, asked at every step that ends no episode.

    The observation becomes a dict of `observation` and `action_mask` (a Dict space only gains the mask). The mask is as
    long as there are actions, those of a MultiDiscrete space one dimension after the other, and 0 where an action is
    illegal; where `info` has none, as at the end of an episode, every action is legal. Policies for such spaces take
    legal actions only. Raises LogpiError for another action space, for a mask of another length, and for an environment
    of which neither the first reset nor the first step gives a mask.

        >>> with_action_masks(gymnasium.make("CartPole-v1")).observation_space["action_mask"]
        MultiBinary(2)
    """
    return VectorActionMasks(env) if isinstance(env, VectorEnv) else ActionMasks(env)


class ActionMasks(gymnasium.Wrapper):
    """A Gymnasium environment whose observations hold the action mask."""

    def __init__(self, env: gymnasium.Env):
        """Wrap the environment. Raises LogpiError for an action space without masks."""
        gymnasium.Wrapper.__init__(self, env)
        self._size = _mask_size(env.action_space)
        self.observation_space = _masked_space(env.observation_space, self._size)
        self._current: Any = env.get_wrapper_attr(METHOD) if env.has_wrapper_attr(METHOD) else None
        self._seen = self._current is not None  # whether the environment gives masks at all

    def reset(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Reset, with the mask of the first observation."""
        obs, info = self.env.reset(**options)
        given = self._given(info)
        self._seen |= given is not None
        return _with_mask(obs, _mask(given, self._size)), info

    def step(self, action: object) -> tuple[dict[str, Any], SupportsFloat, Any, Any, dict[str, Any]]:
        """Step, with the mask of the next observation."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        given = info.get(KEY) if terminated or truncated else self._given(info)
        if not self._seen:
            self._seen = _require_mask(given, self.env)
        return _with_mask(obs, _mask(given, self._size)), reward, terminated, truncated, info

    def _given(self, info: dict[str, Any]) -> Any:
        """The mask in `info`, else the one that the method gives now."""
        given = info.get(KEY)
        return self._current() if given is None and self._current is not None else given


class VectorActionMasks(VectorWrapper):
    """A vector environment whose observations hold the action masks, in every autoreset mode."""

    def __init__(self, env: VectorEnv):
        """Wrap the environments. Raises LogpiError for an action space without masks."""
        VectorWrapper.__init__(self, env)
        self._size = _mask_size(env.single_action_space)
        self.single_observation_space = _masked_space(env.single_observation_space, self._size)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._last = np.ones((env.num_envs, self._size), np.int8)
        self._seen = False  # whether the environments give masks at all

    def reset(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Reset all environments, or those in `options["reset_mask"]`; the others keep the masks they had."""
        is_reset = (options.get("options") or {}).get("reset_mask", np.ones(self.num_envs, bool)).copy()
        obs, info = self.env.reset(**options)
        self._seen |= KEY in info
        self._last = np.where(is_reset[:, None], self._masks(info), self._last)
        return _with_mask(obs, self._last), info

    def step(self, actions: object) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Step all environments; last observations in `info` get the masks that their own `final_info` gives."""
        obs, reward, terminated, truncated, info = self.env.step(actions)
        if not self._seen:
            self._seen = _require_mask(info.get(KEY), self.env)
        self._last = self._masks(info)
        if self.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP and "final_obs" in info:
            finals = self._masks(info.get("final_info", {}))
            with_masks = [
                None if x is None else _with_mask(x, m) for x, m in zip(info["final_obs"], finals, strict=True)
            ]
            info = info | {"final_obs": np.fromiter(with_masks, object, len(with_masks))}
        return _with_mask(obs, self._last), reward, terminated, truncated, info

    def _masks(self, info: dict[str, Any]) -> np.ndarray:
        given, present = info.get(KEY), info.get(f"_{KEY}", np.ones(self.num_envs, bool))
        rows = [_mask(given[i] if given is not None and present[i] else None, self._size) for i in range(self.num_envs)]
        return np.stack(rows)


def _with_mask(obs: object, mask: np.ndarray) -> dict[str, Any]:
    return {**obs, KEY: mask} if isinstance(obs, dict) else {"observation": obs, KEY: mask}


def _masked_space(space: spaces.Space, size: int) -> spaces.Space:
    parts = dict(space.items()) if isinstance(space, spaces.Dict) else {"observation": space}
    return spaces.Dict({**parts, KEY: spaces.MultiBinary(size)})


def _mask(given: object, size: int) -> np.ndarray:
    """Convert a mask to `size` numbers 0 and 1; all are 1 where none is given."""
    if given is None:
        return np.ones(size, np.int8)
    parts = [np.asarray(part).reshape(-1) for part in (given if isinstance(given, tuple | list) else [given])]
    mask = np.concatenate(parts)
    if len(mask) != size or mask.dtype.kind not in "biuf":
        raise LogpiError(
            f"an environment gave the action mask {show_value(given)} of length {len(mask)}; allowed: {size} numbers,"
            " 0 for each illegal action and 1 for each legal one"
        )
    return (mask != 0).astype(np.int8)


def _require_mask(given: object, env: gymnasium.Env | VectorEnv) -> bool:
    """Raise LogpiError where neither the first reset nor the first step gave a mask: nothing would be masked."""
    if given is None:
        single = "" if not isinstance(env, VectorEnv) else ", or wrap each environment before they are joined"
        raise LogpiError(
            f"{env} gives no action mask: info has no {KEY!r} after the first reset and step; allowed:"
            f" info[{KEY!r}], or a method {METHOD}() of one environment{single}"
        )
    return True


def _mask_size(space: spaces.Space) -> int:
    match space:
        case spaces.Discrete():
            return int(space.n)
        case spaces.MultiDiscrete():
            return int(space.nvec.sum())
    raise LogpiError(f"action space {space} has no masks; allowed: Discrete, MultiDiscrete")
