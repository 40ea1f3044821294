"""Gymnasium's registry, carried to worker processes: they make what this process has registered."""

import contextlib
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cloudpickle
import gymnasium


@dataclass(frozen=True)
class Registrations:
    """Specifications that are registered here, for a process that has imported fewer modules.

    Ids that a script, a notebook or an imported module registered are unknown in a new process, and a factory that
    calls `gymnasium.make("Mine-v0")` needs them there.

    - `specs`: by id, pickled one by one: a specification that cannot be pickled is left out.
    """

    specs: Mapping[str, bytes]

    def make(self, factory: Callable[[], gymnasium.Env]) -> gymnasium.Env:
        """Call a factory as in the process that this comes from."""
        registry = gymnasium.registry
        self._register(name for name, spec in registry.items() if self.specs.get(name) != cloudpickle.dumps(spec))
        try:
            return factory()
        except gymnasium.error.UnregisteredEnv:
            # Only now: modules that the factory imports register ids of their own, and Gymnasium warns of ids that
            # are registered twice.
            self._register(name for name in self.specs if name not in registry)
            return factory()

    def _register(self, names: Iterable[str]) -> None:
        """Register these ids as they were; those whose modules cannot be imported here stay as they are."""
        for name in [name for name in names if name in self.specs]:
            with contextlib.suppress(Exception):
                gymnasium.registry[name] = pickle.loads(self.specs[name])


def registrations() -> Registrations:
    """Collect what is registered in this process."""
    specs: dict[str, Any] = {}
    for name, spec in gymnasium.registry.items():
        with contextlib.suppress(Exception):
            specs[name] = cloudpickle.dumps(spec)
    return Registrations(specs)
