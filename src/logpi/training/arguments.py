"""The arguments of `train`, `resume` and their like, as users give them; the command line's words pass here, too."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, SupportsFloat, cast

from logpi.algorithms.protocol import Algorithm
from logpi.core.scalars import whole_number
from logpi.core.seeds import read_seed
from logpi.errors import LogpiError, shown
from logpi.presets.ppo import ppo
from logpi.presets.recipe import Preset, Recipe
from logpi.presets.registry import find_algorithm
from logpi.runs.schema import LARGEST_COUNT

MOST_SEEDS = 10**6  # of runs that are one program
Callback = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Budget:
    """Amounts of a run.

    - `steps`: environment steps at most, ≥ 1; None for the task's.
    - `evaluations`: number of evaluations, ≥ 0.
    - `checkpoint_seconds`: seconds between checkpoints, finite, ≥ 0.
    """

    steps: int | None
    evaluations: int
    checkpoint_seconds: float


def read_budget(steps: object, evaluations: object, checkpoint_seconds: object) -> Budget:
    """Read the amounts of a run. Raises LogpiError for amounts that no run can have."""
    steps = None if steps is None else whole_number("steps", steps, 1, LARGEST_COUNT)
    evaluations = whole_number("evaluations", evaluations, 0, LARGEST_COUNT)
    try:
        seconds = float(cast(SupportsFloat, checkpoint_seconds))
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise LogpiError(f"checkpoint_seconds is {shown(checkpoint_seconds)}; allowed: a finite number ≥ 0")
    return Budget(steps, evaluations, seconds)


def read_algorithm(given: object) -> Recipe | Algorithm:
    """Read an algorithm: a recipe, a preset or its name (with its defaults), an algorithm of parts; None is PPO.

    Raises LogpiError for all else.
    """
    if given is None:
        return ppo()
    if isinstance(given, str):
        return find_algorithm(given)()
    if isinstance(given, Preset):
        return given()
    if isinstance(given, Recipe) or (isinstance(given, Algorithm) and not isinstance(given, type)):
        return given
    raise LogpiError(
        f"algorithm is {shown(given)}; allowed: a recipe such as logpi.ppo(), its name, or an algorithm of parts"
    )


def read_recipe(given: object) -> Recipe:
    """Read a recipe, a preset or its name; None is PPO. Raises LogpiError for all else, also algorithms of parts."""
    recipe = read_algorithm(given)
    if not isinstance(recipe, Recipe):
        raise LogpiError(f"algorithm is {shown(given)}; allowed: a recipe such as logpi.ppo(), or its name")
    return recipe


def read_callbacks(given: object) -> tuple[Callback, ...]:
    """Read callbacks: one function, several, or None. Raises LogpiError for what cannot be called."""
    if given is None:
        return ()
    callbacks: tuple[object, ...] = (given,)
    if isinstance(given, Iterable) and not callable(given):
        callbacks = tuple(given)
    for callback in callbacks:
        if not callable(callback):
            raise LogpiError(f"callbacks has {shown(callback)}; allowed: a function of a record, or several")
    return cast(tuple[Callback, ...], callbacks)


def read_seeds(given: object) -> list[int]:
    """Read seeds: their number, counted from 0, or the seeds themselves. Raises LogpiError for what is no seed."""
    if isinstance(given, Iterable) and not isinstance(given, str) and getattr(given, "ndim", 1):
        return [read_seed(seed) for seed in given]
    return list(range(whole_number("seeds", given, 1, MOST_SEEDS)))
