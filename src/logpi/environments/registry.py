"""Environments by name, and whatever else can stand for one."""

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from logpi.environments.adapters import libraries
from logpi.environments.adapters.atari import atari
from logpi.environments.adapters.envpool import envpool, pooled
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.errors import LogpiError

BUILT_IN = {
    "logpi:CartPole-v0": ("logpi.environments.tasks.cartpole:CartPole", 200),
    "logpi:CartPole-v1": ("logpi.environments.tasks.cartpole:CartPole", 500),
    "logpi:Pendulum-v1": ("logpi.environments.tasks.pendulum:Pendulum", 200),
    "tabular:two-state": ("logpi.oracle.problems:two_state", 100),
    "tabular:chain": ("logpi.oracle.problems:chain", 100),
    "tabular:grid": ("logpi.oracle.problems:grid", 100),
    "tabular:cliff": ("logpi.oracle.problems:cliff", 500),
    "tabular:random": ("logpi.oracle.problems:random", 100),
}


def check(name: str) -> None:
    """Raise LogpiError unless `name` can be resolved; makes nothing and imports no JAX."""
    kind = name.partition(":")[0]
    if name in BUILT_IN or kind == "atari":
        return
    if kind in libraries.KINDS:
        return libraries.check(name)
    if allowed := [other for other in BUILT_IN if other.startswith(f"{kind}:")]:
        raise LogpiError(f"unknown environment {name}; allowed: {', '.join(allowed)}")
    if _is_factory(name):
        return
    try:
        gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError, ValueError) as error:
        raise LogpiError(_unknown(name, error)) from None


def names_a_module(name: str) -> bool:
    """Whether making this environment imports a module that its name chooses."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and name not in BUILT_IN and kind not in ("atari", *libraries.KINDS)


def name_of(env: Any) -> str:
    """What an environment is called: its name, its Gymnasium id, or the name of its class or factory."""
    if isinstance(env, str):
        return env
    spec = getattr(env, "spec", None)
    return getattr(spec, "id", None) or getattr(spec, "name", None) or getattr(env, "__name__", type(env).__name__)


def make(env: Any, num_envs: int, time_limit: int | None = None) -> Any:
    """`num_envs` copies of an environment, ready for a rollout.

    - `env`: a Gymnasium id; `logpi:…` or `tabular:…`, the built-in device environments; `gymnax:…`, `brax:…` or
      `playground:…`, those of other libraries; `envpool:…`, in C++, on threads; `atari:Pong-v5`, a game with the
      usual preprocessing; `package.module:factory`; a factory; a Gymnasium environment (then there is one copy) or
      vector environment; or one of logpi's own, as it is.
    - `time_limit`: ends episodes sooner than the task does, or at all.

    A factory takes no arguments and gives one environment (Gymnasium's or a JAX one), or takes `num_envs`.
    """
    if isinstance(env, str):
        return _by_name(env, num_envs, time_limit)
    if isinstance(env, VectorEnv):
        return pooled(env, name_of(env)) if hasattr(env, "all_env_ids") else GymnasiumVector(env, name_of(env))
    if isinstance(env, gymnasium.Env):
        return Gymnasium(None, 1, name_of(env), time_limit, ready=env)
    if callable(env):
        return _from_factory(env, num_envs, name_of(env), time_limit)
    if hasattr(env, "spec"):
        return env
    if hasattr(env, "reset") and hasattr(env, "step"):
        return _copies(env, num_envs, time_limit or getattr(env, "time_limit", None), name_of(env))
    raise LogpiError(f"{name_of(env)} is no environment: it has no reset and step; a name, a factory or one that has")


def _by_name(name: str, num_envs: int, time_limit: int | None) -> Any:
    check(name)
    if name in BUILT_IN:
        place, limit = BUILT_IN[name]
        return _copies(_built_in(place), num_envs, min(limit, time_limit or limit), name)
    if name.startswith("envpool:"):
        return envpool(name.removeprefix("envpool:"), num_envs, time_limit)
    if name.partition(":")[0] in libraries.KINDS:
        single = _called(functools.partial(libraries.load, name), name)
        return _copies(single, num_envs, min(single.time_limit, time_limit or single.time_limit), name)
    if name.startswith("atari:"):
        return Gymnasium(functools.partial(atari, name.removeprefix("atari:")), num_envs, name, time_limit)
    if _is_factory(name):
        return _from_factory(_load(name), num_envs, name, time_limit)
    registered = functools.partial(gymnasium.make, gymnasium.spec(name), disable_env_checker=True)
    return Gymnasium(registered, num_envs, name, time_limit)


def _from_factory(factory: Callable[..., Any], num_envs: int, name: str, time_limit: int | None) -> Any:
    if "num_envs" in inspect.signature(factory).parameters:
        return make(_called(factory, name, num_envs=num_envs), num_envs, time_limit)
    first = _called(factory, name)
    if isinstance(first, gymnasium.Env) and not isinstance(first, VectorEnv):  # EnvPool's are both
        return Gymnasium(factory, num_envs, name, time_limit, ready=first)
    if isinstance(first, VectorEnv) or hasattr(first, "spec"):
        return make(first, num_envs, time_limit)
    return _copies(first, num_envs, time_limit or getattr(first, "time_limit", None), name)


def _called(factory: Callable[..., Any], name: str, **arguments: Any) -> Any:
    try:
        return factory(**arguments)
    except Exception as error:
        what = " ".join(str(error).split())
        raise LogpiError(f"environment {name}: its factory raised {type(error).__name__}: {what}") from error


def _copies(single: Any, num_envs: int, time_limit: int | None, name: str) -> Any:
    from logpi.environments.vmap import Vmap

    return Vmap(single, num_envs, time_limit, name)


def _built_in(place: str) -> Any:
    single = _load(place)()
    if place.startswith("logpi.oracle."):
        from logpi.environments.tasks.tabular import Tabular

        return Tabular(single)
    return single


def _is_factory(name: str) -> bool:
    module, _, attribute = name.partition(":")
    return attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _load(place: str) -> Callable[..., Any]:
    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise LogpiError(f"environment {place}: {error}; run where `python -c 'import {module}'` works") from None
    except AttributeError:
        raise LogpiError(f"environment {place}: module {module} has no {attribute}") from None


def _unknown(name: str, error: Exception) -> str:
    near = difflib.get_close_matches(name, gymnasium.registry, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`logpi envs` lists those installed"
    what = str(error).splitlines()[0].rstrip(".")
    allowed = (
        "a Gymnasium id, logpi:…, tabular:…, gymnax:…, brax:…, playground:…, envpool:…, atari:…, package.module:factory"
    )
    return f"unknown environment {name} ({what}); allowed: {allowed}; {hint}"
