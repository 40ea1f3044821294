"""Many runs as one compiled program: over seeds, and over values of an algorithm's numeric options."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsFloat

import equinox as eqx
import jax
import jax.numpy as jnp

from logpi.core.compilation import use_persistent_cache
from logpi.core.keys import root_key
from logpi.core.paths import read_path
from logpi.core.scalars import WholeNumber
from logpi.environments.protocol import is_jax_environment
from logpi.environments.registry import name_of
from logpi.environments.source import EnvironmentSource
from logpi.errors import LogpiError
from logpi.loop.vectorized import StackedHyperparameters
from logpi.presets.recipe import NETWORKS, Preset, Recipe
from logpi.runs.directory import RunDirectory, default_path, new_run_directory
from logpi.runs.run import Run
from logpi.training.arguments import read_budget, read_recipe, read_seeds
from logpi.training.console import Reporter
from logpi.training.grid import Points, grid_points, summarize
from logpi.training.many_runs import train_many, tree_index
from logpi.training.memory import memory_errors_in_one_line
from logpi.training.plan import Plan, make_plan, with_expert
from logpi.training.train import run_configuration

SUMMARY_METRICS = ("return_mean", "eval_return_mean")


def train_seeds(
    env: EnvironmentSource,
    algorithm: Recipe | Preset | str | None = None,
    *,
    seeds: WholeNumber | Iterable[WholeNumber] = 10,
    steps: WholeNumber | None = None,
    out: str | bytes | Path | None = None,
    evaluations: WholeNumber = 5,
    checkpoint_seconds: SupportsFloat | str = 30.0,
) -> list[Run]:
    """Train with many seeds as one compiled program: a run for each, with a directory as `train` leaves it.

    - `env`: a JAX environment.
    - `seeds`: the seeds, or their number, counted from 0; default 10.
    - `out`: the directories are `out`/seed-S, by default runs/ENV/ALGORITHM-S-TIME.

    The other arguments are those of `train`. The program is not that of a single run, so the last bits differ; each
    run can be resumed on its own. Raises LogpiError for a host environment.
    """
    recipe, budget = read_recipe(algorithm), read_budget(steps, evaluations, checkpoint_seconds)
    seeds, home = read_seeds(seeds), read_path("the current directory", ".")
    root = None if out is None else read_path("out", out)
    path_of = lambda plan: (
        root / f"seed-{plan.seed}" if root else home / default_path(name_of(env), plan.name, plan.seed)
    )
    with memory_errors_in_one_line(), ExitStack() as stack:
        plans = _make_plans(env, [recipe], budget.steps, seeds, stack)
        plans = [
            replace(p, evaluations=budget.evaluations, checkpoint_seconds=budget.checkpoint_seconds) for p in plans
        ]
        runs, reporter = _train_all(plans, [path_of(plan) for plan in plans], stack)
        reporter.show_table([{"seed": plan.seed} | _result(run) for plan, run in zip(plans, runs, strict=True)])
        return runs


def sweep(
    env: EnvironmentSource,
    algorithm: Recipe | Preset | str,
    points: Points,
    *,
    seeds: WholeNumber | Iterable[WholeNumber] = 1,
    steps: WholeNumber | None = None,
    out: str | bytes | Path | None = None,
) -> list[dict[str, Any]]:
    """Train with many values of an algorithm's numeric options, and many seeds, as one compiled program.

    - `points`: the values of each option, of which every combination is tried: {"learning_rate": [1e-3, 3e-4]}; or the
      combinations themselves, drawn at random or otherwise: [{"learning_rate": 1e-3, "gamma": 0.98}, …].
      Options must be numbers to the program, such as rates, weights, discounts; not sizes or counts.
    - `seeds`: the seeds, or their number, counted from 0; each point is trained with all of them; default 1.
    - `out`: each run has a directory below it, by default below runs/ENV/ALGORITHM-sweep-TIME.

    Returns a row for each run: its options, seed, returns, and directory. Values that make one run's numbers infinite
    do not affect the others. Raises LogpiError for options that change the program, and for host environments.
    """
    recipe, budget, seeds = read_recipe(algorithm), read_budget(steps, 0, 0.0), read_seeds(seeds)
    settings = grid_points(points)
    _refuse_shapes(settings)
    root = read_path("out", default_path(name_of(env), recipe.name, "sweep") if out is None else out)
    with memory_errors_in_one_line(), ExitStack() as stack:
        plans = _make_plans(env, [recipe.with_options(**point) for point in settings], budget.steps, seeds, stack)
        plans = [replace(plan, evaluations=1) for plan in plans]
        labels = [point for point in settings for _ in seeds]
        paths = [
            root / _point_directory(point) / f"seed-{plan.seed}" for point, plan in zip(labels, plans, strict=True)
        ]
        runs, reporter = _train_all(plans, paths, stack)
        parts = zip(labels, plans, runs, strict=True)
        rows = [{**point, "seed": plan.seed, **_result(run)} for point, plan, run in parts]
        reporter.show_table(summarize(rows, list(settings[0]), SUMMARY_METRICS))
    return rows


def _result(run: Run) -> dict[str, Any]:
    return {name: run.summary[name] for name in SUMMARY_METRICS} | {"directory": str(run.directory)}


def _make_plans(
    env: EnvironmentSource, recipes: Sequence[Recipe], steps: int | None, seeds: list[int], stack: ExitStack
) -> list[Plan]:
    """Make a plan for each recipe and seed; they share one environment."""
    use_persistent_cache()
    if not seeds or not recipes:
        raise LogpiError("there is nothing to train: give at least one seed, and at least one value of each option")
    if len(set(seeds)) < len(seeds):
        raise LogpiError(f"seeds are {', '.join(map(str, seeds))}; allowed: whole numbers ≥ 0, each of them once")
    first = make_plan(env, recipes[0], steps, (None, None), seeds[0], stack)
    if not is_jax_environment(first.environment):
        raise LogpiError(
            f"{name_of(env)} is no environment written in JAX, and only these are trained many at a time:"
            " `logpi envs` lists them; else train one seed after the other"
        )
    return [plan for recipe in recipes for plan in _plans_over_seeds(first, recipe, seeds)]


def _plans_over_seeds(first: Plan, recipe: Recipe, seeds: list[int]) -> list[Plan]:
    """Make plans like the first, with this recipe: networks and keys from each seed, as `make_plan` draws them."""
    settings = recipe.settings(name_of(first.source))
    k_networks, keys = jax.vmap(jax.random.split, out_axes=1)(jnp.stack([root_key(seed) for seed in seeds]))
    build = lambda key: recipe.build(first.environment.spec, settings, key)[1:]
    policies, critics = eqx.filter_vmap(build)(k_networks)
    algorithm = (
        first.algorithm
        if settings == first.settings
        else with_expert(recipe.algorithm(settings), settings, first.environment.spec)
    )
    start = lambda i: {
        "seed": seeds[i],
        "key": keys[i],
        "policy": tree_index(policies, i),
        "critic": tree_index(critics, i),
    }
    return [replace(first, algorithm=algorithm, settings=settings, **start(i)) for i in range(len(seeds))]


def _train_all(plans: list[Plan], paths: list[Path], stack: ExitStack) -> tuple[list[Run], Reporter]:
    """Train all plans as one program, each with its directory."""
    # Algorithms that cannot be one program are refused before anything is written.
    StackedHyperparameters([plan.algorithm for plan in plans])
    reporter = stack.enter_context(Reporter(sum(plan.steps for plan in plans)))
    for path in paths:
        stack.enter_context(new_run_directory(path))
    directories = [
        RunDirectory(path, run_configuration(plan), reporter.log) for plan, path in zip(plans, paths, strict=True)
    ]
    return train_many(plans, directories, reporter, stack), reporter


def _point_directory(point: Mapping[str, Any]) -> str:
    """Name the directory of a point: its options and their values."""
    return ",".join(f"{name.replace('_', '-')}={value}" for name, value in point.items()).replace("/", "-") or "."


def _refuse_shapes(points: Sequence[Mapping[str, Any]]) -> None:
    """Raise LogpiError for options of the networks: they change the program."""
    for name in {name for point in points for name in point}:
        if name in NETWORKS and name != "initial_std":
            raise LogpiError(f"{name} changes the program's shape and cannot be swept over; train once for each value")
