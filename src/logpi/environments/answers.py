"""Check of what an environment answers at first contact, before anything is converted. Needs no JAX.

The first `reset` and the first `step` of every copy are checked as they come. Later answers are checked where their
form, types, shapes and dtypes, is not that of an earlier one, which costs a fraction of a microsecond a step; values
that are not finite, and indices in arrays out of range, are found in the buffers of every rollout (`rollout.host`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces

from logpi.core.numpy_trees import HostTree
from logpi.errors import LogpiError
from logpi.spaces.elements import element_fault, show_value
from logpi.spaces.tree import copy_as_stored

RESET = "a pair: observation, info"
STEP = "five values: observation, reward, terminated, truncated, info"


@dataclass(frozen=True)
class AnswerCheck:
    """The contract of Gymnasium's `reset` and `step` for one environment, or for a vector environment of N.

    - `subject`: the environment, for messages, as "environment 3 of CartPole-v1".
    - `space`: of one observation.
    - `num_envs`: N of a vector environment, whose answers have N rows; None for one environment.
    """

    subject: str
    space: spaces.Space
    num_envs: int | None = None

    def check_reset(self, answer: object) -> None:
        """Raise LogpiError unless `reset` answered an observation in the space and a dict."""
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            self._refuse("reset", f"{_describe(answer)}; allowed: {RESET}")
        obs, info = answer
        self._check_info("reset", info, RESET)
        self._check_observation("reset", "obs", obs)

    def check_step(self, answer: object, time: int = 0) -> None:
        """Raise LogpiError unless `step` answered five values: an observation, a number, two flags, a dict.

        - `time`: the number of steps before in the episode, for messages.
        """
        if not isinstance(answer, tuple | list) or len(answer) != 5:
            self._refuse("step", f"{_describe(answer)}; allowed: {STEP}")
        obs, reward, terminated, truncated, info = answer
        self._check_flag("terminated", terminated)
        self._check_flag("truncated", truncated)
        self._check_info("step", info, STEP)
        self._check_reward(reward, time)
        self._check_observation("step", "next_obs", obs, time)

    def check_final_observation(self, obs: object) -> None:
        """Raise LogpiError unless one copy's last observation, in `info["final_obs"]`, is in the space."""
        if fault := element_fault(self.space, obs):
            self._refuse("step", f"with a final_obs that does not fit its observation space: {fault}")

    def _check_observation(self, method: str, name: str, obs: object, time: int = 0) -> None:
        fault = element_fault(self.space, obs, self._rows)
        if fault is None:
            return
        if fault.non_finite is not None:
            self._refuse_non_finite(f"{name}{fault.path}", fault.non_finite, time)
        self._refuse(method, f"with an observation that does not fit its observation space: {fault}")

    def _check_reward(self, reward: object, time: int) -> None:
        wanted = "one finite number" if self.num_envs is None else f"{self.num_envs} finite numbers"
        try:
            value = np.asarray(reward)
        except Exception:
            value = np.asarray(None)
        if value.dtype.kind not in "fiub" or value.shape != self._rows:
            self._refuse("step", f"with the reward {_describe(reward)}; allowed: {wanted}")
        finite = np.isfinite(value)
        if not finite.all():
            self._refuse_non_finite("reward", str(value[~finite][0]), time)
        with np.errstate(over="ignore"):
            stored = np.isfinite(value.astype(np.float32))
        if not stored.all():
            self._refuse("step", f"with the reward {value[~stored][0]}, which is beyond float32; allowed: {wanted}")

    def _check_flag(self, name: str, flag: object) -> None:
        wanted = "True or False" if self.num_envs is None else f"{self.num_envs} of True and False"
        value = flag if isinstance(flag, bool | np.bool_ | np.ndarray) else np.asarray(None)
        if isinstance(flag, list | tuple) or hasattr(flag, "__array__"):
            value = np.asarray(flag)
        if np.asarray(value).dtype.kind != "b" or np.shape(value) != self._rows:
            self._refuse("step", f"with {name} {_describe(flag)}; allowed: {wanted}")

    def _check_info(self, method: str, info: object, wanted: str) -> None:
        if not isinstance(info, dict):
            self._refuse(method, f"with the info {_describe(info)}; allowed: a dict, as the last of {wanted}")

    @property
    def _rows(self) -> tuple[int, ...]:
        return () if self.num_envs is None else (self.num_envs,)

    def _refuse(self, method: str, fault: str) -> NoReturn:
        raise LogpiError(f"{self.subject} answered {method} {fault}")

    def _refuse_non_finite(self, field: str, value: str, time: int) -> NoReturn:
        raise LogpiError(f"{self.subject} answered a non-finite {field} at step {time} of an episode: {value}")


class BatchReader:
    """Reader of a vector environment's answers as arrays of logpi's own; each form of an answer is checked once."""

    def __init__(self, check: AnswerCheck):
        """Read the answers of the vector environment that `check` is for."""
        self._check, self._copy, self._known = check, copy_as_stored(check.space), set()

    def read_reset(self, answer: Any) -> HostTree:
        """Return the observations of all copies. Raises LogpiError for an answer that does not fit."""
        is_pair = isinstance(answer, tuple) and len(answer) == 2
        if not is_pair or not self._is_known(answer[:1]):
            self._check.check_reset(answer)
            self._add(answer[:1])
        return self._copy(answer[0])

    def read_step(self, answer: Any) -> tuple[HostTree, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Return (obs, reward, terminated, truncated, info). Raises LogpiError for an answer that does not fit."""
        is_step = isinstance(answer, tuple) and len(answer) == 5
        if not is_step or not self._is_known(answer[:4]):
            self._check.check_step(answer)
            self._add(answer[:4])
        obs, reward, terminated, truncated, info = answer
        return self._copy(obs), np.asarray(reward, np.float32), np.array(terminated), np.asarray(truncated), info

    def _is_known(self, parts: Sequence[Any]) -> bool:
        """Tell if arrays of this structure, these shapes and dtypes were right before."""
        return (form := _form(parts)) is not None and form in self._known

    def _add(self, parts: Sequence[Any]) -> None:
        if (form := _form(parts)) is not None:
            self._known.add(form)


def _form(x: Any) -> Any:
    """Structure, shapes and dtypes of a tree of arrays; None where a part is no array, or may not keep its value."""
    if isinstance(x, np.ndarray):
        return x.shape, x.dtype
    if isinstance(x, dict):
        forms = [(name, _form(part)) for name, part in x.items()]
        return None if any(form is None for _, form in forms) else tuple(forms)
    if isinstance(x, tuple | list):
        forms = [_form(part) for part in x]
        return None if any(form is None for form in forms) else tuple(forms)
    return None


@runtime_checkable
class Stepped(Protocol):
    """One environment, a vector environment or a pool: whatever is reset and stepped as Gymnasium's are."""

    @property
    def reset(self) -> Callable[..., Any]:
        """Begin an episode: → (observation, info)."""
        ...

    @property
    def step(self) -> Callable[..., Any]:
        """Take a step: → (observation, reward, terminated, truncated, info)."""
        ...


class FirstContact:
    """An environment until its first step: checks the first `reset` and the first `step`, then stands aside.

    `release` is called with the environment inside when its first step was right, so that whoever steps it steps it
    directly from then on: checks cost nothing per step.
    """

    def __init__(self, env: Stepped, check: AnswerCheck, release: Callable[[Any], None]):
        """Stand in front of an environment."""
        self._env: Any = env
        self._check, self._release = check, release
        self._was_reset = False

    @property
    def unwrapped(self) -> Any:
        """The environment without any wrapper."""
        return self._env.unwrapped

    def reset(self, **options: Any) -> Any:
        """Reset the environment; the first answer is checked. Raises LogpiError for a wrong one."""
        answer = self._env.reset(**options)
        if not self._was_reset:
            self._check.check_reset(answer)
            self._was_reset = True
        return answer

    def step(self, action: object) -> Any:
        """Step the environment and check its answer. Raises LogpiError for a wrong one."""
        answer = self._env.step(action)
        self._check.check_step(answer)
        self._release(self._env)
        return answer

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def _describe(x: object) -> str:
    """Describe an answer by its value and its kind, in one line."""
    if isinstance(x, tuple | list):
        return f"{type(x).__name__} of {len(x)} values" if len(str(x)) > 40 else f"{x!r}"
    if isinstance(x, np.ndarray):
        return f"{show_value(x)} (array of shape {x.shape}, {x.dtype})"
    if isinstance(x, Real) or x is None:
        return f"{x!r}"
    return f"{show_value(x)} ({type(x).__name__})"
