"""Check of what an environment written in JAX answers: traced for shapes and dtypes, before anything is compiled."""

import traceback
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import PyTree

from logpi.environments.protocol import Environment, SingleEnvironment, Step
from logpi.environments.vmap import Vmap
from logpi.errors import EnvironmentFailed, LogpiError, reason_of
from logpi.spaces.elements import form_fault
from logpi.spaces.tree import LeafSpace, check, map_leaves

RESET = "a pair: state, observation"
STEP = "four values: state, observation, reward, terminated"
LONGEST = 120  # characters of JAX's own message in a line; the traceback has the rest


def check_traced_answers(environment: Environment) -> None:
    """Raise LogpiError unless `reset` and `step` answer what their protocol and the spaces say.

    Of N copies of a single environment the single one is traced. Nothing is computed, so ranges are not checked.
    """
    name = environment.spec.name
    check(environment.spec.observation_space, "observation")
    check(environment.spec.action_space, "action")
    if isinstance(environment, Vmap):
        _check_single(environment.single, name)
    else:
        _check_copies(environment, name)


def _check_single(single: SingleEnvironment, name: str) -> None:
    state, obs = _reset(single, name)
    _require_observation(name, "reset", single.observation_space, obs, ())
    answer = _trace(name, "step", single.step, _key(), state, _actions(single.action_space, ()))
    if not isinstance(answer, tuple | list) or len(answer) != 4:
        _refuse(name, "step", answer, STEP)
    following, next_obs, reward, terminated = answer
    _require_same_state(name, state, following)
    _require_observation(name, "step", single.observation_space, next_obs, ())
    _require_array(name, "reward", reward, (), "fiu", "a number, float32[]")
    _require_array(name, "terminated", terminated, (), "b", "a flag, bool[]")


def _check_copies(environment: Environment, name: str) -> None:
    spec = environment.spec
    rows = (spec.num_envs,)
    state, obs = _reset(environment, name)
    _require_observation(name, "reset", spec.observation_space, obs, rows)
    answer = _trace(name, "step", environment.step, _key(), state, _actions(spec.action_space, rows))
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Step):
        _refuse(name, "step", answer, "a pair: state, logpi.environments.protocol.Step")
    following, step = answer
    _require_same_state(name, state, following)
    for each in (step.obs, step.next_obs):
        _require_observation(name, "step", spec.observation_space, each, rows)
    _require_array(name, "reward", step.reward, rows, "fiu", f"a number for each environment, float32{list(rows)}")
    for flag in ("terminated", "truncated", "valid"):
        _require_array(name, flag, getattr(step, flag), rows, "b", f"a flag for each environment, bool{list(rows)}")


def _reset(environment: Environment | SingleEnvironment, name: str) -> tuple[PyTree, PyTree]:
    answer = _trace(name, "reset", environment.reset, _key())
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        _refuse(name, "reset", answer, RESET)
    return answer[0], answer[1]


def _trace(name: str, method: str, function: Callable[..., Any], *arguments: PyTree) -> PyTree:
    """Trace a method; what it raises becomes one line that names the environment."""
    try:
        # A new function, so that an earlier trace of the same method is not given again.
        return jax.eval_shape(lambda *given: function(*given), *arguments)
    except LogpiError:
        raise
    except Exception as error:
        reason = reason_of(error)
        reason = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
        raise EnvironmentFailed(
            f"environment {name} is no gymnasium.Env, so JAX traces its {method}, which raised"
            f" {type(error).__name__}: {reason}",
            traceback.format_exc(),
        ) from error


def _key() -> jax.ShapeDtypeStruct:
    return jax.eval_shape(lambda: jr.key(0))


def _actions(space: spaces.Space, rows: tuple[int, ...]) -> PyTree:
    """Shapes and dtypes of a policy's actions: float32 for a box, else int32."""

    def for_leaf(leaf: LeafSpace) -> Callable[[], Any]:
        dtype = jnp.float32 if isinstance(leaf, spaces.Box) else jnp.int32
        return lambda: jax.ShapeDtypeStruct((*rows, *(leaf.shape or ())), dtype)

    return map_leaves(space, for_leaf)()


def _require_observation(name: str, method: str, space: spaces.Space, obs: PyTree, rows: tuple[int, ...]) -> None:
    if fault := form_fault(space, obs, rows):
        raise LogpiError(
            f"environment {name} answered {method} with an observation, the second value, that does not fit its"
            f" observation space: {fault}"
        )


def _require_same_state(name: str, state: PyTree, following: PyTree) -> None:
    """Raise LogpiError unless the state keeps its structure, shapes and dtypes."""
    before, after = (jax.tree_util.tree_flatten_with_path(tree)[0] for tree in (state, following))
    if [path for path, _ in before] != [path for path, _ in after]:
        _refuse_state(name, f"has {_paths(after)} where reset's has {_paths(before)}")
    for (path, old), (_, new) in zip(before, after, strict=True):
        if old.shape != new.shape or old.dtype != new.dtype:
            place = jax.tree_util.keystr(path)
            _refuse_state(name, f"{place} is {_form(new)} where reset's is {_form(old)}")


def _refuse_state(name: str, fault: str) -> None:
    raise LogpiError(
        f"environment {name}: the state after a step, its first value, {fault}: let step keep the state's structure,"
        " shapes and dtypes, and answer it first"
    )


def _require_array(name: str, field: str, x: PyTree, shape: tuple[int, ...], kinds: str, wanted: str) -> None:
    is_array = hasattr(x, "shape") and hasattr(x, "dtype")
    if not is_array or tuple(x.shape) != shape or getattr(x.dtype, "kind", "V") not in kinds:
        raise LogpiError(f"environment {name} answered step with {field} {_form(x)}; allowed: {wanted}")


def _refuse(name: str, method: str, answer: PyTree, allowed: str) -> None:
    raise LogpiError(f"environment {name} answered {method} with {_form(answer)}; allowed: {allowed}")


def _form(x: PyTree) -> str:
    """Describe a value by its kind: "float32[3]", or "a tuple of 5 values"."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype}{list(x.shape)}"
    return f"a {type(x).__name__} of {len(x)} values" if isinstance(x, tuple | list | dict) else f"{x!r}"


def _paths(leaves: list[Any]) -> str:
    names = [jax.tree_util.keystr(path) or "one array" for path, _ in leaves]
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "") if names else "nothing"
