"""run.json: the arguments that a run was started with, and all that is needed to resume it."""

import platform
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from gymnasium import spaces

from logpi.environments.protocol import Spec
from logpi.environments.registry import check, names_a_module, same_task
from logpi.environments.source import EnvironmentSource, hide, with_arguments
from logpi.errors import LogpiError
from logpi.presets.recipe import Recipe
from logpi.presets.registry import find_algorithm
from logpi.runs.files import read_json
from logpi.runs.migrations import SCHEMA, migrate_configuration
from logpi.runs.schema import CONFIGURATION, check_fields
from logpi.spaces import serialize
from logpi.spaces.layout import SpaceLayouts

PACKAGES = ("logpi", "jax", "jaxlib", "equinox", "optax", "gymnasium", "numpy")
CUSTOM = "custom"  # name of an algorithm that was put together from parts


def configuration(spec: Spec, settings: dict[str, Any], description: str, **facts: object) -> dict[str, Any]:
    """Build the complete configuration of a run, in values that JSON has.

    - `spec`: of the run's environment, whose spaces are stored, so that networks can be rebuilt without it.
    - `settings`: value of every option.
    - `description`: the algorithm as text.
    - `facts`: the arguments that the run was started with.
    """
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
    """Read the configuration in a run directory, of this schema or an earlier one.

    Raises LogpiError where the file is missing, a field is missing or has a value that no run has, or the schema cannot
    be read.
    """
    config = read_json(directory / "run.json")
    check_fields(config, CONFIGURATION, str(directory / "run.json"))
    return migrate_configuration(config, directory / "run.json")


def environment(
    config: dict[str, Any],
    directory: Path,
    env: EnvironmentSource | None = None,
    env_args: Mapping[str, Any] | None = None,
    entries: Sequence[int] | None = None,
) -> EnvironmentSource:
    """Find the environment to continue with: the one that is given, else the run's own by its name, with its arguments.

    - `env`: given by the user; None for the run's own. If it is the run's own name, the run's arguments and hidden
      entries hold, too.
    - `env_args`: arguments given by the user, which replace the run's of the same names.
    - `entries`: hidden entries given by the user, which replace the run's.

    Raises LogpiError for a name in run.json that imports a module (a directory may come from anyone), and for an
    environment whose arguments or wrappers run.json does not hold.
    """
    name, arguments = config["environment"], config.get("env_args", {})
    own = env is None or (isinstance(env, str) and same_task(env, name))
    if env is not None and (not own or arguments is None):
        return hide(with_arguments(env, env_args), entries)
    if arguments is None:
        raise LogpiError(
            f"{directory} was trained on {name}: a factory or an object, or one with arguments or wrappers that"
            " run.json cannot hold; give it again (resume(…, env=…), or --env NAME --env-arg KEY=VALUE)"
        )
    if env is None and names_a_module(name):
        raise LogpiError(f"{directory} was trained on {name}, a module of yours: if you trust it, say --env {name}")
    source = env if isinstance(env, str) else name
    check(source)
    hidden = config.get("hide", []) if entries is None else entries
    return hide(with_arguments(source, {**arguments, **(env_args or {})}), hidden)


def trained_spaces(config: dict[str, Any]) -> tuple[spaces.Space, spaces.Space]:
    """Read the spaces of observations and actions of the run's environment."""
    seen, acted = (serialize.from_json(config["spaces"].get(kind)) for kind in ("observation", "action"))
    return seen, acted


def require_spaces(config: dict[str, Any], directory: Path, spec: Spec) -> None:
    """Raise LogpiError for an environment with other spaces than the run's, or other bounds of its actions."""
    trained = trained_spaces(config)
    SpaceLayouts.of(*trained).require(SpaceLayouts.of(spec.observation_space, spec.action_space), spec.name, "the run")
    if serialize.to_json(trained[1]) != serialize.to_json(spec.action_space):
        raise LogpiError(
            f"{spec.name} does not fit the run in {directory}: its actions are {spec.action_space}, those of the run"
            f" {trained[1]}"
        )


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
