"""The registry of environments: one table of name prefixes, and `make`, which turns a name into environments."""

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from typing import Any, TypeVar, cast

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv
from typing_extensions import TypeIs

from logpi.environments.adapters.envpool import is_pool, pooled
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.gymnasium_packages import missing_package
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.environments.backends import BuiltInTasks, EnvironmentBackend, Library
from logpi.environments.imports import import_module, load_attribute
from logpi.environments.protocol import Environment, HostEnvironment, SingleEnvironment, Spec, is_jax_environment
from logpi.environments.source import (
    EnvironmentId,
    EnvironmentSource,
    ExistingEnvironment,
    HiddenEntries,
    arguments_of,
    hidden_entries,
    name_of,
    with_arguments,
)
from logpi.errors import FAILURES, LogpiError, reason_of

FEW = 12  # where no name is similar, as many tasks are all named in an error
ENTRY_POINTS = "logpi.environments"
FILE = re.compile(r"(.*/.*|.*\.py)(?<!-v\d)")  # as ./house.py, house.py, rooms/house; ids of namespaces end in -v0
GYMNASIUM_ID = re.compile(r"([\w-]+/)?[\w.-]+-v\d+")

Made = TypeVar("Made")
Vectorized = TypeVar("Vectorized", bound=Environment | HostEnvironment)

_backends: dict[str, EnvironmentBackend | str] = {}
_imported: set[str] = set()  # modules that the user named, so that ids they register may be used by a run directory


def register(prefix: str, backend: EnvironmentBackend | str) -> None:
    """Register the environments whose names begin with `prefix:`.

    - `prefix`: a Python identifier that no other backend has; also hyphens.
    - `backend`: an `EnvironmentBackend`, or "module:attribute", which is imported when a name with the prefix is looked
      up; the attribute is a backend, or a class that makes one without arguments.

    Raises LogpiError for a prefix that is taken or is none.
    """
    if not prefix.replace("-", "_").isidentifier():
        raise LogpiError(
            f"environment prefix is {prefix!r}; allowed: letters, digits, _ and -, not beginning with a digit"
        )
    if _backends.get(prefix, backend) != backend:
        raise LogpiError(f"environment prefix {prefix} is taken; taken are {', '.join(_backends)}")
    _backends[prefix] = backend


register(
    "logpi",
    BuiltInTasks(
        "logpi",
        {
            "CartPole-v0": ("logpi.environments.tasks.cartpole:CartPole", 200),
            "CartPole-v1": ("logpi.environments.tasks.cartpole:CartPole", 500),
            "Pendulum-v1": ("logpi.environments.tasks.pendulum:Pendulum", 200),
            "CartPoleNoVelocity-v1": ("logpi.environments.tasks.cartpole:CartPole", 500),
            "PendulumNoVelocity-v1": ("logpi.environments.tasks.pendulum:Pendulum", 200),
        },
        hidden={"CartPoleNoVelocity-v1": (1, 3), "PendulumNoVelocity-v1": (2,)},
    ),
)
register(
    "tabular",
    BuiltInTasks(
        "tabular",
        {
            "two-state": ("logpi.oracle.problems:two_state", 100),
            "chain": ("logpi.oracle.problems:chain", 100),
            "grid": ("logpi.oracle.problems:grid", 100),
            "cliff": ("logpi.oracle.problems:cliff", 500),
            "random": ("logpi.oracle.problems:random", 100),
        },
        adapter="logpi.environments.tasks.tabular:Tabular",
    ),
)
register(
    "pomdp",
    BuiltInTasks(
        "pomdp",
        {
            "tiger": ("logpi.oracle.pomdp_problems:tiger", 100),
            "t-maze": ("logpi.oracle.pomdp_problems:t_maze", 500),
            "repeat-first": ("logpi.oracle.pomdp_problems:repeat_first", 1000),
        },
        adapter="logpi.environments.tasks.partially_observed:PartiallyObserved",
    ),
)
register(
    "gymnax",
    Library("gymnax", "gymnax", "logpi.environments.adapters.gymnax", ("1.0.1", "which tells ends from time limits")),
)
register("brax", Library("brax", "brax", "logpi.environments.adapters.brax"))
register("playground", Library("playground", "playground", "logpi.environments.adapters.playground"))
register("envpool", Library("envpool", "envpool", "logpi.environments.adapters.envpool"))
register("atari", Library("atari", "ale-py", "logpi.environments.adapters.atari"))


class _GymnasiumIds(EnvironmentBackend):
    """Environments in Gymnasium's own registry; the task is the whole name, as `Id-v0` or `module:Id-v0`."""

    def names(self) -> list[str]:
        """List the ids that are registered."""
        return sorted(gymnasium.registry)

    def make(
        self, task: str, num_envs: int, time_limit: int | None, **arguments: object
    ) -> Callable[[], gymnasium.Env]:
        """Give a factory that holds the specification, so that worker processes need no registration of their own."""
        return functools.partial(gymnasium.make, find_spec(task), disable_env_checker=True, **arguments)


class _Factories(EnvironmentBackend):
    """Functions and classes that make environments; the task is the whole name, `package.module:factory`."""

    def names(self) -> list[str]:
        """List none: any importable function may be one."""
        return []

    def make(
        self, task: str, num_envs: int, time_limit: int | None, **arguments: object
    ) -> Callable[..., ExistingEnvironment]:
        """Import the factory and bind the arguments."""
        try:
            return cast(Callable[..., ExistingEnvironment], with_arguments(load_attribute(task), arguments))
        except LogpiError as error:
            raise LogpiError(f"{error}{_prefix_hint(task)}") from error.__cause__


_GYMNASIUM, _FACTORIES = _GymnasiumIds(), _Factories()


def find_backend(name: str) -> tuple[EnvironmentBackend, str]:
    """Find the backend of a name, and the backend's own name for the task.

    Entry points of installed packages are read only where a prefix is not in the table yet.
    """
    prefix, colon, task = name.partition(":")
    if colon and prefix not in _backends:
        _read_entry_points()
    if colon and prefix in _backends:
        return _backend(prefix), task
    return (_FACTORIES if _is_factory(name) else _GYMNASIUM), name


def check(env: str | EnvironmentId) -> None:
    """Raise LogpiError unless a name can be resolved; makes no environment and imports no JAX."""
    name = name_of(env)
    backend, task = find_backend(name)
    if backend is _FACTORIES:
        if name.partition(":")[0].endswith(".py"):
            raise LogpiError(f"unknown environment {name}: {_other_form(name)}")
        return
    if backend is _GYMNASIUM:
        if missing := missing_package(find_spec(name)):
            raise LogpiError(f"{name} needs {missing}")
        return
    if missing := backend.missing():
        raise LogpiError(f"{name} needs {missing}")
    tasks = backend.names()
    if task not in tasks:
        prefix = name.partition(":")[0]
        near = [f"{prefix}:{other}" for other in difflib.get_close_matches(task, tasks, n=3, cutoff=0.5)]
        every = ", ".join(f"{prefix}:{other}" for other in tasks)
        advice = f"allowed: {every}" if not near and 0 < len(tasks) <= FEW else _hint(near)
        raise LogpiError(f"unknown environment {name}; {advice}")


def names() -> list[str]:
    """List the name of every environment of every backend that is installed, then Gymnasium's ids."""
    _read_entry_points()
    backends = {prefix: _backend(prefix) for prefix in _backends}
    installed = {prefix: backend for prefix, backend in backends.items() if not backend.missing()}
    return [
        f"{prefix}:{task}" for prefix, backend in installed.items() for task in backend.names()
    ] + _GYMNASIUM.names()


def missing() -> dict[str, str]:
    """Say what has to be installed for names that cannot be made yet: Gymnasium's ids, and `prefix:…` of backends."""
    _read_entry_points()
    backends = {f"{prefix}:…": _backend(prefix).missing() for prefix in _backends}
    ids = {name: missing_package(gymnasium.registry[name]) for name in _GYMNASIUM.names()}
    return {name: needed for name, needed in {**ids, **backends}.items() if needed}


def names_a_module(name: str) -> bool:
    """Tell whether making this environment imports a module that the name chooses and the user has not imported."""
    module, colon, _ = name.partition(":")
    backend, _ = find_backend(name)
    return bool(colon) and (backend is _FACTORIES or (backend is _GYMNASIUM and module not in _imported))


def same_task(a: str, b: str) -> bool:
    """Tell whether two names are of the same environment: `module:Id-v0` is `Id-v0`, once the module is imported."""
    is_id = lambda name: find_backend(name)[0] is _GYMNASIUM
    return a == b or (is_id(a) and is_id(b) and a.rpartition(":")[2] == b.rpartition(":")[2])


def import_modules(modules: Iterable[str]) -> None:
    """Import modules of the user's that register environments. Raises LogpiError for one that cannot be imported."""
    for module in modules:
        import_module(module, f"module {module}")
        _imported.add(module)


def make(
    env: EnvironmentSource, num_envs: int, time_limit: int | None = None, arguments: Mapping[str, Any] | None = None
) -> Environment | HostEnvironment:
    """Make `num_envs` copies of an environment, ready for a rollout.

    - `env`: a name, a factory or an environment.
      Names: a Gymnasium id, or `module:Id-v0` to import a module first that registers it; `logpi:…`,
      `tabular:…` or `pomdp:…`, the built-in environments in JAX; `gymnax:…`, `brax:…` or `playground:…`, those of other
      libraries in JAX; `envpool:…`, in C++, on threads; `atari:Pong-v5`, a game with the usual preprocessing; the
      prefix of any backend that is registered; or `package.module:factory`; with arguments, an `EnvironmentId`.
      A factory takes no arguments and gives one environment (Gymnasium's or one in JAX), or takes `num_envs`.
      Environments: Gymnasium's (then there is one copy) or a vector environment, one in JAX, or logpi's own, as it is.
      `HiddenEntries` of any of these hides entries of its observations.
    - `time_limit`: ends episodes sooner than the task does, or at all, in steps.
    - `arguments`: keyword arguments of the environment, as `gymnasium.make` takes them; for names and factories only.

    Raises LogpiError for an unknown name, a missing library, and a factory that raises.
    """
    env = with_arguments(env, arguments)
    name = name_of(env)
    if isinstance(env, HiddenEntries):
        from logpi.environments.wrappers.hidden_entries import hide_entries

        return hide_entries(make(env.env, num_envs, time_limit), hidden_entries(env))
    if isinstance(env, str | EnvironmentId):
        return _make_by_name(name, arguments_of(env) or {}, num_envs, time_limit)
    if isinstance(env, VectorEnv):
        return pooled(env, name) if is_pool(env) else GymnasiumVector(env, name)
    if isinstance(env, gymnasium.Env):
        return Gymnasium(None, 1, name, time_limit, ready=env)
    if callable(env):
        return _from_factory(env, num_envs, name, time_limit)
    if _is_vectorized(env):
        return _existing(env)
    return _copies(env, num_envs, time_limit or getattr(env, "time_limit", None), name)


def find_spec(name: str) -> EnvSpec:
    """Find the specification of `Id-v0`, or of `module:Id-v0` after importing the module.

    Raises LogpiError where there is none, with the names nearest to it.
    """
    module, _, task = name.rpartition(":")
    if module and GYMNASIUM_ID.fullmatch(task):
        try:
            import_module(module, f"environment {name}")
        except LogpiError as error:
            raise LogpiError(f"{error}{_prefix_hint(name)}") from error.__cause__
    try:
        return gymnasium.spec(task if module else name)
    except (gymnasium.error.Error, ImportError, ValueError) as error:
        if hint := _other_form(name):
            raise LogpiError(f"unknown environment {name}: {hint}") from None
        near = difflib.get_close_matches(name, gymnasium.registry, n=3, cutoff=0.5)
        reason = str(error).splitlines()[0].partition(" Did you mean")[0].rstrip(".")
        prefixes = ", ".join(f"{prefix}:…" for prefix in _backends)
        allowed = f"a Gymnasium id, module:Id-v0, {prefixes}, package.module:factory"
        raise LogpiError(f"unknown environment {name} ({reason}); allowed: {allowed}; {_hint(near)}") from None


def _other_form(name: str) -> str:
    """Return the right form of a name that is a file, or an id that another package registers; else ""."""
    path, _, factory = name.partition(":")
    if FILE.fullmatch(path):
        folder, _, module = path.removesuffix(".py").rpartition("/")
        place = f" in the directory {folder}" if folder not in ("", ".") else ""
        return f"a file is named as a module, with the factory in it: {module}:{factory or 'make_env'}{place}"
    if name.startswith("ALE/"):
        return (
            f"did you mean atari:{name.removeprefix('ALE/')}, with the usual preprocessing? Gymnasium's own"
            f" {name} needs the extra atari and --import ale_py"
        )
    return ""


def _prefix_hint(name: str) -> str:
    """Return the name with the registered prefix most like its own; "" if there is none."""
    prefix, _, task = name.partition(":")
    near = difflib.get_close_matches(prefix, _backends, n=1, cutoff=0.7)
    return f"; did you mean {near[0]}:{task}?" if near else ""


def _make_by_name(
    name: str, arguments: Mapping[str, Any], num_envs: int, time_limit: int | None
) -> Environment | HostEnvironment:
    """Make environments of what the name's backend gives; for one in JAX the shorter of the two time limits holds."""
    check(name)
    backend, task = find_backend(name)
    made = _call(functools.partial(backend.make, task, num_envs, time_limit, **arguments), name)
    if _is_vectorized(made):
        return made
    if callable(made):
        return _from_factory(made, num_envs, name, time_limit)
    limits = [limit for limit in (getattr(made, "time_limit", None), time_limit) if limit is not None]
    return _copies(made, num_envs, min(limits, default=None), name)


def _from_factory(
    factory: Callable[..., ExistingEnvironment], num_envs: int, name: str, time_limit: int | None
) -> Environment | HostEnvironment:
    """Make environments by a factory of all of them, or of one; the first that it makes shows which kind it is."""
    if "num_envs" in _parameters(factory):
        return make(_call(factory, name, num_envs=num_envs), num_envs, time_limit)
    first = _call(factory, name)
    if isinstance(first, VectorEnv):  # asked before gymnasium.Env: EnvPool's environments are both
        return make(first, num_envs, time_limit)
    if isinstance(first, gymnasium.Env):
        return Gymnasium(cast(Callable[[], gymnasium.Env], factory), num_envs, name, time_limit, ready=first)
    if _is_vectorized(first):
        return _existing(first)
    return _copies(first, num_envs, time_limit or getattr(first, "time_limit", None), name)


def _parameters(factory: Callable[..., Any]) -> Iterable[str]:
    """List the names of a factory's parameters; none of a builtin that tells nothing of them."""
    try:
        return inspect.signature(factory).parameters
    except ValueError:
        return ()


def _call(factory: Callable[..., Made], name: str, **arguments: object) -> Made:
    """Call a factory; what it raises becomes one line that names the environment."""
    try:
        return factory(**arguments)
    except LogpiError:
        raise
    except FAILURES as error:
        reason = reason_of(error)
        raise LogpiError(f"environment {name}: its factory raised {type(error).__name__}: {reason}") from error


def _is_vectorized(env: object) -> TypeIs[Environment | HostEnvironment]:
    """Tell whether this is N environments already; those on the host offer what the protocol of JAX's names, too."""
    return isinstance(env, Environment) and isinstance(env.spec, Spec)


def _copies(single: object, num_envs: int, time_limit: int | None, name: str) -> Environment | HostEnvironment:
    """Make copies of one environment in JAX. Raises LogpiError for an object that is none."""
    for method, arguments in {"reset": ("key",), "step": ("key", "state", "action")}.items():
        try:
            inspect.signature(getattr(single, method, None)).bind(*arguments)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise LogpiError(
                f"environment {name} is a {type(single).__name__}, which is no environment: it has no"
                f" {method}({', '.join(arguments)}); allowed: a gymnasium.Env, a gymnasium.vector.VectorEnv, an"
                " environment in JAX, or a name or factory of one"
            ) from None
    from logpi.environments.vmap import Vmap

    return _existing(Vmap(cast(SingleEnvironment, single), num_envs, time_limit, name))


def _existing(environment: Vectorized) -> Vectorized:
    """Give environments as they are; the answers of those in JAX are checked by their shapes. Raises LogpiError."""
    if is_jax_environment(environment):
        from logpi.environments.traced_answers import check_traced_answers

        check_traced_answers(environment)
    return environment


def _backend(prefix: str) -> EnvironmentBackend:
    """The backend of a registered prefix, imported if it was registered by its place."""
    backend = _backends[prefix]
    if isinstance(backend, str):
        found = load_attribute(backend)
        backend = _backends[prefix] = found() if isinstance(found, type) else found
    return backend


def _read_entry_points() -> None:
    """Add the backends that installed packages declare; a prefix that is registered already keeps its own."""
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        _backends.setdefault(entry.name, entry.value)


def _is_factory(name: str) -> bool:
    module, _, attribute = name.partition(":")
    return attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _hint(near: list[str]) -> str:
    return f"did you mean {', '.join(near)}?" if near else "`logpi envs` lists those installed"
