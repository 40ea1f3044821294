"""run.json: all that a run was started with, and what is needed to go on with it."""

import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from logpi.environments.registry import check, names_a_module
from logpi.errors import LogpiError
from logpi.presets.recipe import Recipe
from logpi.presets.registry import find_algorithm
from logpi.runs.files import read_json
from logpi.runs.migrations import SCHEMA, migrate_configuration
from logpi.spaces import serialize

PACKAGES = ("logpi", "jax", "jaxlib", "equinox", "optax", "gymnasium", "numpy")
CUSTOM = "custom"  # name of an algorithm that was put together from parts
KINDS = {
    "environment": str,
    "algorithm": str,
    "seed": int,
    "steps": int,
    "settings": dict,
    "evaluations": int,
    "checkpoint_seconds": (int, float),
    "spaces": dict,
    "description": list,
}


def configuration(spec: Any, settings: dict[str, Any], description: str, **facts: Any) -> dict[str, Any]:
    """The complete configuration of a run, as JSON can say it; `facts` are the arguments it was started with."""
    return {
        "schema": SCHEMA,
        **facts,
        "settings": settings,
        "spaces": {
            "observation": serialize.to_json(spec.observation_space),
            "action": serialize.to_json(spec.action_space),
        },
        "description": description.splitlines(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
    }


def read(directory: Path) -> dict[str, Any]:
    """The configuration in a run's directory. Raises LogpiError where it is missing, or is none."""
    said = read_json(directory / "run.json")
    for name, kind in KINDS.items():
        if not isinstance(said.get(name), kind):
            raise LogpiError(f"{directory / 'run.json'} is no run's: it has no {name}")
    return migrate_configuration(said, directory / "run.json")


def environment(said: dict[str, Any], directory: Path) -> str:
    """The name of a run's environment, if making it runs none but installed, registered code.

    Raises LogpiError for a name that says which module to import: a directory may come from anyone.
    """
    name = said["environment"]
    if names_a_module(name):
        raise LogpiError(f"{directory} was trained on {name}, a module of yours: if you trust it, say --env {name}")
    check(name)
    return name


def recipe(config: dict[str, Any], directory: Path) -> Recipe:
    """Return the recipe of a run that a preset made.

    Raises LogpiError for a run of an algorithm that was put together from parts, for a method that is not registered
    here, and for options that the method does not have.
    """
    name = config["algorithm"]
    if name == CUSTOM:
        raise LogpiError(
            f"{directory} was trained by an algorithm put together from parts: pass it and networks like its own,"
            " algorithm=…, policy=…"
        )
    try:
        preset = find_algorithm(name)
    except LogpiError as error:
        raise LogpiError(
            f"{directory} was trained by {name}, which is not registered here: install its package, or call"
            f" logpi.presets.register with its preset first ({error})"
        ) from None
    return preset(**config["settings"])
