"""Everything that `make` accepts as an environment: its name, its arguments, and how to create another one like it."""

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker

from logpi.core.scalars import LARGEST_INT32, WholeNumber, integer_within
from logpi.environments.protocol import Environment, HostEnvironment, SingleEnvironment, is_jax_environment
from logpi.errors import LogpiError, shown

_ABSENT = object()
UNLIMITED = -1  # in place of `max_episode_steps`: `gymnasium.make` then adds no time limit
VECTORIZATION = "vectorization_mode"  # the argument that `gymnasium.make_vec` adds to a specification


@dataclass(frozen=True)
class EnvironmentId:
    """The name of an environment and the keyword arguments that it is made with.

    Accepted wherever a name is: `logpi.train(EnvironmentId("FrozenLake-v1", {"map_name": "8x8"}))`.

    - `name`: as `make` takes it.
    - `arguments`: passed to `gymnasium.make`, to the factory, or to the backend of the name's prefix.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


ExistingEnvironment: TypeAlias = gymnasium.Env | VectorEnv | SingleEnvironment | Environment | HostEnvironment
"""An environment or a vector environment of Gymnasium's, one environment in JAX, or N environments of logpi's."""


@dataclass(frozen=True)
class HiddenEntries:
    """An environment whose observations lack some of their entries: what is left of its state must be remembered.

    Accepted wherever an environment is: `logpi.train(HiddenEntries("CartPole-v1", (1, 3)))` hides both velocities. The
    entries belong to the run: its evaluations, `logpi evaluate` and `resume` hide them too.

    - `env`: a name, a factory or an environment, whose observation space is a Box of one dimension.
    - `entries`: indices of the entries that are left out, from 0, at least one and each once.

    Raises LogpiError for entries that are no such indices; for those that the space does not have, when it is made.
    """

    env: "EnvironmentSource"
    entries: Iterable[WholeNumber]

    def __post_init__(self) -> None:
        """Read the entries."""
        if isinstance(self.env, HiddenEntries):
            raise LogpiError("an environment hides entries already; allowed: all of them in one HiddenEntries")
        object.__setattr__(self, "entries", _read_entries(self.entries))


EnvironmentSource: TypeAlias = (
    str | EnvironmentId | HiddenEntries | Callable[..., ExistingEnvironment] | ExistingEnvironment
)
"""An environment as `make` takes it: a name, with or without arguments, a factory, or an environment that exists; each
of them also with some entries of its observations hidden."""


def _read_entries(given: object) -> tuple[int, ...]:
    """Read the indices of hidden entries. Raises LogpiError for none, for what is no index, and for one given twice."""
    entries = [integer_within(x, 0, LARGEST_INT32) for x in given] if isinstance(given, Iterable) else []
    if not entries or None in entries or len(set(entries)) < len(entries):
        raise LogpiError(
            f"hide is {shown(given)}; allowed: indices of entries of the observation, from 0, at least one and each"
            " once, as 1,3"
        )
    return tuple(cast(list[int], entries))


def hide(env: EnvironmentSource, entries: Sequence[int] | None) -> EnvironmentSource:
    """Hide entries of an environment; where there are none to hide, give it as it is."""
    return HiddenEntries(env, entries) if entries else env


def unhidden(env: EnvironmentSource) -> EnvironmentSource:
    """Give the environment with all entries of its observations."""
    return env.env if isinstance(env, HiddenEntries) else env


def hidden_entries(env: EnvironmentSource) -> tuple[int, ...]:
    """Give the indices of the entries that are hidden, in order."""
    return cast(tuple[int, ...], env.entries) if isinstance(env, HiddenEntries) else ()


def with_arguments(env: EnvironmentSource, arguments: Mapping[str, Any] | None) -> EnvironmentSource:
    """Bind keyword arguments to a name or a factory; those bound before stay unless they are given again.

    Raises LogpiError for an environment that exists already: its arguments cannot change any more.
    """
    if not arguments:
        return env
    if isinstance(env, HiddenEntries):
        return HiddenEntries(with_arguments(env.env, arguments), env.entries)
    if isinstance(env, str | EnvironmentId):
        return EnvironmentId(name_of(env), {**(arguments_of(env) or {}), **arguments})
    if callable(env) and not is_jax_environment(env):
        return functools.update_wrapper(functools.partial(env, **arguments), env)
    raise LogpiError(
        f"{name_of(env)} is an environment that exists already and takes no arguments ({', '.join(arguments)});"
        " allowed: arguments for a name or a factory"
    )


def name_of(env: EnvironmentSource) -> str:
    """Name an environment: as it is asked for, else by its Gymnasium id, else by its class or factory."""
    env = unhidden(env)
    if isinstance(env, str):
        return env
    if isinstance(env, EnvironmentId):
        return env.name
    spec = getattr(env, "spec", None)
    return getattr(spec, "id", None) or getattr(spec, "name", None) or getattr(env, "__name__", type(env).__name__)


def arguments_of(env: EnvironmentSource) -> dict[str, Any] | None:
    """Give the arguments with which `name_of(env)` makes the same environment, but for hidden entries.

    None where no arguments do: for factories and objects, and for Gymnasium's environments inside wrappers or of an id
    that has been registered anew since.
    """
    env = unhidden(env)
    if isinstance(env, str):
        return {}
    if isinstance(env, EnvironmentId):
        return dict(env.arguments)
    spec = _gymnasium_spec(env)
    registered = None if spec is None else gymnasium.registry.get(spec.id)
    if spec is None or registered is None or isinstance(env, VectorEnv):
        return None
    if spec.additional_wrappers or not _equal(registered.entry_point, spec.entry_point):
        return None
    arguments = {name: x for name, x in spec.kwargs.items() if not _equal(registered.kwargs.get(name, _ABSENT), x)}
    if spec.max_episode_steps != registered.max_episode_steps:
        arguments["max_episode_steps"] = spec.max_episode_steps or UNLIMITED
    return arguments


def recorded_arguments(env: EnvironmentSource) -> dict[str, Any] | None:
    """Give `arguments_of(env)` as run.json holds them; None where JSON cannot hold them without a change."""
    arguments = arguments_of(env)
    try:
        return arguments if json.loads(json.dumps(arguments)) == arguments else None
    except (TypeError, ValueError):
        return None


def is_constructible(env: EnvironmentSource) -> bool:
    """Tell whether `make` creates the environment, from a name or a factory, or is given one that exists."""
    env = unhidden(env)
    exists = isinstance(env, gymnasium.Env | VectorEnv) or is_jax_environment(env)  # which may be callable, too
    return isinstance(env, str | EnvironmentId) or (callable(env) and not exists)


def recreatable(env: EnvironmentSource) -> EnvironmentSource | None:
    """Give a source for a second, independent environment with the same arguments and wrappers; None if there is none.

    A Gymnasium environment is made again from its own specification, which holds its arguments, and its wrappers where
    these record how they were made; one of `gymnasium.make_vec` likewise, unless it was wrapped since.
    """
    if isinstance(env, HiddenEntries):
        again = recreatable(env.env)
        return None if again is None else HiddenEntries(again, env.entries)
    if is_constructible(env) or is_jax_environment(env):
        return env
    spec = _gymnasium_spec(env)
    if spec is None or isinstance(env, VectorWrapper):
        return None
    if isinstance(env, VectorEnv):
        return _named(functools.partial(gymnasium.make_vec, spec), spec) if VECTORIZATION in spec.kwargs else None
    if any(wrapper.kwargs is None for wrapper in spec.additional_wrappers):
        return None
    return _named(functools.partial(gymnasium.make, spec, disable_env_checker=True), spec)


class ChangedSinceMade(gymnasium.Wrapper):
    """An environment whose attributes were set after `gymnasium.make`: no specification makes another one like it.

    - `attributes`: names of those that were set, as `changed_attributes` lists them.
    """

    def __init__(self, env: gymnasium.Env, attributes: Sequence[str]):
        """Wrap the environment."""
        super().__init__(env)
        self.attributes = attributes


def mark_changed(env: EnvironmentSource) -> EnvironmentSource:
    """Wrap a Gymnasium environment whose attributes were set since it was made; give all else as it is."""
    inner = unhidden(env)
    if not (changed := changed_attributes(inner)):
        return env
    return hide(ChangedSinceMade(cast(gymnasium.Env, inner), changed), hidden_entries(env))


def changed_attributes(env: object) -> list[str]:
    """List the attributes of an environment that differ from those of one made again from its specification.

    Only plain values are compared, of environments that have not begun an episode: later ones differ by what happened.
    Values that two new environments do not share, as random ones, are left out.
    """
    if not isinstance(env, gymnasium.Env) or isinstance(env, VectorEnv):
        return []
    again = cast(Callable[[], gymnasium.Env] | None, recreatable(env))
    if again is None or not _is_unused(env):
        return []
    first = again()
    changed = _differences(env, first)
    if changed:
        second = again()
        changed -= _differences(first, second)
        second.close()
    first.close()
    return sorted(changed)


def _is_unused(env: gymnasium.Env) -> bool:
    """Tell whether an environment is known to have begun no episode."""
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, OrderEnforcing):
            return not env.has_reset
        env = env.env
    return False


def _differences(env: gymnasium.Env, other: gymnasium.Env) -> set[str]:
    """Name the plain attributes in which two environments in the same wrappers differ."""
    mine, theirs = dict(_plain(env)), dict(_plain(other))
    missing = object()
    return {x[1] for x in mine if not _equal_arrays(mine[x], theirs.get(x, missing))}


def _plain(env: gymnasium.Env) -> Iterator[tuple[tuple[int, str], Any]]:
    """Iterate over ((depth in the wrappers, name), value) of the attributes that are numbers, text or arrays."""
    depth = 0
    while True:
        if isinstance(env, PassiveEnvChecker):  # which is left out where an environment is made again
            env = env.env
            continue
        for name, value in getattr(env, "__dict__", {}).items():
            if isinstance(value, bool | int | float | str | np.ndarray):
                yield (depth, name), value
        if not isinstance(env, gymnasium.Wrapper):
            return
        env, depth = env.env, depth + 1


def _equal_arrays(a: Any, b: Any) -> bool:
    """Compare two plain values; NaN equals NaN."""
    try:
        return type(a) is type(b) and bool(np.all((a == b) | ((a != a) & (b != b))))
    except (TypeError, ValueError):  # arrays of other shapes
        return False


def _named(factory: functools.partial, spec: EnvSpec) -> functools.partial:
    """Give a factory the name of the environments that it makes."""
    factory.__name__ = spec.id  # type: ignore[attr-defined]
    return factory


def _equal(a: object, b: object) -> bool:
    """Compare two arguments; those that cannot be compared, as arrays, are different."""
    try:
        return bool(a == b)
    except Exception:
        return False


def _gymnasium_spec(env: object) -> EnvSpec | None:
    """The specification that Gymnasium gave an existing environment; None for all else."""
    spec = env.spec if isinstance(env, gymnasium.Env | VectorEnv) else None
    return spec if isinstance(spec, EnvSpec) else None
