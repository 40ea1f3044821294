"""Families of environments that share a name's prefix: the contract, and those that come with logpi.

A package of one's own adds a family by a subclass of `EnvironmentBackend` and either a call of
`logpi.environments.register` or, so that the command line knows it too, an entry point:

    [project.entry-points."logpi.environments"]
    maze = "maze.logpi:MazeBackend"
"""

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Protocol, TypeAlias, runtime_checkable

from logpi.environments.imports import load_attribute
from logpi.environments.protocol import Environment, HostEnvironment, SingleEnvironment
from logpi.environments.source import ExistingEnvironment
from logpi.errors import LogpiError, reason_of

BackendProduct: TypeAlias = Callable[..., ExistingEnvironment] | SingleEnvironment | Environment | HostEnvironment
"""The result of a backend's `make`: a factory, one environment in JAX, or N environments."""


class EnvironmentBackend(ABC):
    """The environments whose names begin with one prefix: `prefix:task`.

    class MazeBackend(EnvironmentBackend):
        def names(self):
            return ["Small-v0", "Large-v0"]

        def make(self, task, num_envs, time_limit, **arguments):
            return functools.partial(MazeEnv, task, **arguments)  # a gymnasium.Env; pickled for worker processes
    """

    def missing(self) -> str | None:
        """Say what has to be installed before any environment can be made, and how; None if nothing has to be."""
        return None

    @abstractmethod
    def names(self) -> Sequence[str]:
        """List the tasks, without the prefix. Called only where nothing is missing."""

    @abstractmethod
    def make(self, task: str, num_envs: int, time_limit: int | None, **arguments: object) -> BackendProduct:
        """Make the environments of a task, or give what `logpi.make` makes `num_envs` of.

        - `task`: one of `names()`.
        - `num_envs`, `time_limit`: as in `logpi.make`; used by backends that make all copies themselves.
        - `arguments`: those the user gave, by name.

        Returns a factory of Gymnasium environments without arguments (picklable, so that worker processes can call
        it), one environment in JAX (`SingleEnvironment`; its `time_limit`, if any, is applied), or `num_envs`
        environments (`Environment` or `HostEnvironment`), whose spec then names them `prefix:task`.
        """


@dataclass(frozen=True)
class BuiltInTasks(EnvironmentBackend):
    """Tasks of logpi's own, written in JAX, which is imported only when one is made.

    - `prefix`: of their names.
    - `tasks`: by name, the "module:constructor" of one environment and its time limit in steps.
    - `adapter`: the "module:class" that makes an environment of what the constructor gives, if that is none.
    - `hidden`: by name, the entries of the observation that a task hides.
    """

    prefix: str
    tasks: Mapping[str, tuple[str, int]]
    adapter: str | None = None
    hidden: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def names(self) -> Sequence[str]:
        """List the tasks."""
        return list(self.tasks)

    def make(self, task: str, num_envs: int, time_limit: int | None, **arguments: object) -> BackendProduct:
        """Make `num_envs` copies as one environment in JAX; the shorter of the two time limits holds."""
        from logpi.environments.vmap import Vmap
        from logpi.environments.wrappers.hidden_entries import hide_entries

        constructor, limit = self.tasks[task]
        single = load_attribute(constructor)(**arguments)
        if self.adapter is not None:
            single = load_attribute(self.adapter)(single)
        copies = Vmap(single, num_envs, min(limit, time_limit or limit), f"{self.prefix}:{task}")
        return hide_entries(copies, self.hidden[task]) if task in self.hidden else copies


@runtime_checkable
class LibraryAdapter(Protocol):
    """A module that gives the environments of one library; see `EnvironmentBackend` for both functions."""

    def names(self) -> Sequence[str]:
        """List the tasks that the library has, by its own names."""
        ...

    def make(self, task: str, num_envs: int, time_limit: int | None, **arguments: object) -> BackendProduct:
        """Make the environments of a task."""
        ...


@dataclass(frozen=True)
class Library(EnvironmentBackend):
    """The environments of an optional library, which is imported when one of them is looked up, not before.

    - `extra`: the extra of logpi that installs the library.
    - `package`: the library's distribution.
    - `adapter`: the module of logpi that adapts it, a `LibraryAdapter`.
    - `least`: the oldest version that will do, with the reason; None if any will.
    """

    extra: str
    package: str
    adapter: str
    least: tuple[str, str] | None = None

    def missing(self) -> str | None:
        """Say which extra to install where the library is missing or too old."""
        install = f"pip install 'logpi[{self.extra}]'"
        try:
            version = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return f"the extra {self.extra}: {install}"
        if self.least is not None and _numbers(version) < _numbers(self.least[0]):
            return f"{self.package} ≥ {self.least[0]}, {self.least[1]}, and finds {version}: {install}"
        return None

    def names(self) -> Sequence[str]:
        """List the library's tasks. Raises LogpiError where it cannot be imported."""
        try:
            with redirect_stdout(sys.stderr):  # some libraries print when they are imported; stdout is for answers
                return self._adapter().names()
        except (ImportError, AttributeError) as error:
            reason = reason_of(error)
            raise LogpiError(
                f"{self.package} cannot be imported ({reason}): pip install 'logpi[{self.extra}]'"
            ) from None

    def make(self, task: str, num_envs: int, time_limit: int | None, **arguments: object) -> BackendProduct:
        """Make the environments of a task by the library's adapter."""
        with redirect_stdout(sys.stderr):
            return self._adapter().make(task, num_envs, time_limit, **arguments)

    def _adapter(self) -> LibraryAdapter:
        module: Any = importlib.import_module(self.adapter)
        return module


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version before its first part that is none: (1, 0, 1) of "1.0.1.dev3"."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
