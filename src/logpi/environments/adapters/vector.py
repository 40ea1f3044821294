"""Any Gymnasium vector environment as a host environment."""

from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv

from logpi.core.numpy_trees import HostTree, tree_map
from logpi.core.seeds import derive
from logpi.environments.adapters.instances import require_distinct
from logpi.environments.adapters.stateful_wrappers import warnings_of
from logpi.environments.adapters.time_limit import longest_time_limit
from logpi.environments.answers import AnswerCheck, BatchReader, FirstContact
from logpi.environments.closing import close_environment
from logpi.environments.protocol import Spec, Step
from logpi.errors import LogpiError
from logpi.spaces.actions import to_gymnasium
from logpi.spaces.elements import Unfit, row_writer
from logpi.spaces.tree import check


class GymnasiumVector:
    """A `gymnasium.vector.VectorEnv`, in whichever of Gymnasium's autoreset modes: the transitions are the same.

    - SAME_STEP resets in the step that ends an episode and gives the true last observation in `info`.
    - NEXT_STEP resets in the step after; that step is no transition, so its row is not `valid`.
    - DISABLED leaves the reset to the caller, here `step`.

    A vector environment steps all its copies at once, idle ones too; the answers of these are ignored.
    """

    def __init__(self, env: VectorEnv, name: str = ""):
        """Wrap it. Raises LogpiError for one that does not state its autoreset mode."""
        self._mode = _autoreset_mode(env, name)
        self._check = AnswerCheck(f"vector environment {name}", env.single_observation_space, env.num_envs)
        self._env: Any = FirstContact(env, self._check, self._release)
        envs = getattr(env, "envs", None)  # only a SyncVectorEnv has its copies here; others only have a spec
        require_distinct(envs or [], name)
        limit = longest_time_limit(envs) if envs else env.spec.max_episode_steps if env.spec else None
        self.spec = Spec(
            name, env.num_envs, env.single_observation_space, env.single_action_space, limit, warnings_of(env, name)
        )
        check(env.single_observation_space, "observation")
        self._to_native = to_gymnasium(env.single_action_space, name)
        self._ended = np.zeros(env.num_envs, bool)
        # Without shared memory, Gymnasium's worker processes (≤ 1.4) keep an autoreset that was due when they are
        # reset: the next step is an autoreset instead, so its row must stay invalid.
        inner = env.unwrapped
        self._keeps_autoreset = isinstance(inner, AsyncVectorEnv) and not inner.shared_memory
        self._answers = BatchReader(self._check)
        self._write = row_writer(env.single_observation_space)

    def reset(self, seed: int, group: int = 1) -> HostTree:
        """Begin new episodes everywhere; neighbors in groups of `group` are seeded alike.

        Vector environments seed copy i with seed + i: the seed is hashed first, so that runs 0 and 1 share no copy.
        Later episodes use each copy's own random numbers, so in a group they are equal only as far as these are.
        """
        if not self._keeps_autoreset:
            self._ended[:] = False
        first = derive(seed)
        seeds: Any = first if group == 1 else [first + i // group for i in range(self.spec.num_envs)]
        return self._answers.read_reset(self._env.reset(seed=seeds))

    def step(self, action: HostTree, idle: np.ndarray) -> Step:
        """Step all copies, and begin the next episode where one ended."""
        obs, reward, terminated, truncated, info = self._answers.read_step(self._env.step(self._to_native(action)))
        truncated = truncated & ~terminated
        valid = ~idle & ~self._ended if self._mode is AutoresetMode.NEXT_STEP else ~idle
        done = terminated | truncated
        self._ended = done if self._mode is AutoresetMode.NEXT_STEP else self._ended
        next_obs = obs
        if done.any() and self._mode is AutoresetMode.SAME_STEP:
            next_obs = tree_map(np.copy, obs)
            for i in np.flatnonzero(done).tolist():
                final = _final_obs(info, i, self.spec.name)
                try:
                    self._write(next_obs, i, final)
                except Unfit:
                    self._check.check_final_observation(final)
                    raise
        elif done.any() and self._mode is AutoresetMode.DISABLED:
            obs = self._answers.read_reset(self._env.reset(options={"reset_mask": done}))
        return Step(obs, next_obs, reward, terminated, truncated, valid)

    def _release(self, env: VectorEnv) -> None:
        """Step the vector environment directly from now on: its first answers were right."""
        self._env = env

    def close(self) -> None:
        """Close the vector environment."""
        close_environment(self._env, self.spec.name)


def _final_obs(info: dict[str, Any], i: int, name: str) -> object:
    """The last observation of copy i: Gymnasium gives an object a copy, other libraries a batch for each leaf."""
    if "final_obs" not in info:
        raise LogpiError(
            f"vector environment {name} says SAME_STEP, but gives no info['final_obs'] where an episode ends;"
            " without the true last observations V cannot be right: give them, or reset in another mode"
        )
    final = info["final_obs"]
    return tree_map(lambda x: x[i], final) if isinstance(final, dict | tuple) else final[i]


def _autoreset_mode(env: VectorEnv, name: str) -> AutoresetMode:
    """The autoreset mode that a vector environment states. Raises LogpiError where it states none."""
    mode = env.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        allowed = ", ".join(f"AutoresetMode.{m.name}" for m in AutoresetMode)
        raise LogpiError(
            f"vector environment {name or env} does not say how it resets: metadata['autoreset_mode'] is {mode!r};"
            f" set it to one of {allowed}"
        )
    return mode
