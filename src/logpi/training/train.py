"""`train` and `resume`: from an environment, an algorithm and a budget to a run; and on from its last checkpoint."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsFloat

from jaxtyping import PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.compilation import use_persistent_cache
from logpi.core.describe import describe
from logpi.core.paths import read_path
from logpi.core.scalars import WholeNumber
from logpi.core.seeds import read_seed
from logpi.environments.registry import same_task
from logpi.environments.source import (
    EnvironmentSource,
    hidden_entries,
    name_of,
    recorded_arguments,
    with_arguments,
)
from logpi.presets.recipe import Preset, Recipe
from logpi.rollout.workers.config import Workers, parse_workers
from logpi.runs import checkpoints, configuration, progress
from logpi.runs.directory import RunDirectory, default_path, new_run_directory
from logpi.runs.files import read_metrics
from logpi.runs.lock import lock_run
from logpi.runs.progress import Progress
from logpi.runs.run import Run
from logpi.training.arguments import Callback, read_algorithm, read_budget, read_callbacks
from logpi.training.console import Reporter
from logpi.training.driver import run_training
from logpi.training.memory import memory_errors_in_one_line
from logpi.training.plan import Plan, make_plan


def train(
    env: EnvironmentSource,
    algorithm: Recipe | Algorithm | Preset | str | None = None,
    *,
    steps: WholeNumber | None = None,
    seed: WholeNumber | None = 0,
    out: str | bytes | Path | None = None,
    policy: PyTree = None,
    critic: PyTree = None,
    callbacks: Callback | Iterable[Callback] = (),
    evaluations: WholeNumber = 5,
    checkpoint_seconds: SupportsFloat | str = 30.0,
    workers: Workers | WholeNumber | None = "auto",
    env_args: Mapping[str, Any] | None = None,
) -> Run:
    """Train a policy on a task.

    - `env`: a name, a factory or an environment: whatever `make` takes.
    - `algorithm`: a recipe such as `ppo()` (the default) or its name, `"ppo"`; or an algorithm put together from parts,
      which needs `policy` and, if it fits one, `critic`. With a recipe, `policy` is where learning begins, such as a
      clone.
    - `steps`: environment steps at most; by default the budget tuned for the task, else 1,000,000. An iteration is
      begun only if it fits in what is left, so a run never takes more (one iteration is always made).
    - `seed`: same seed, same machine: the same bits. Every whole number ≥ 0 is a run of its own; None draws one, which
      is recorded.
    - `out`: the run's directory, by default runs/ENV/ALGORITHM-SEED-TIME.
    - `callbacks`: a function called with each iteration's record, or several; one that returns True ends the run. On
      environments written in JAX many iterations are one compiled call; with callbacks, each is a call of its own.
    - `evaluations`: how many times, evenly spaced, the policy is evaluated; the best one is kept beside the last.
    - `checkpoint_seconds`: how much work can be lost at most; a run that was ended goes on with `resume`.
    - `workers`: processes that step environments on the host: how many, or `Workers(…)`; with "auto" as many as there
      are cores, where that pays. Their number changes no bit.
    - `env_args`: keyword arguments of the environment, where `env` is a name or a factory.

    SIGINT finishes what is under way, saves and raises KeyboardInterrupt; SIGTERM saves and raises SystemExit(143).
    Raises LogpiError for input that cannot work, before anything is compiled where that can be known.
    """
    seed, budget = read_seed(seed), read_budget(steps, evaluations, checkpoint_seconds)
    recipe, listeners = read_algorithm(algorithm), read_callbacks(callbacks)
    processes = parse_workers(workers)
    home = read_path("the current directory", ".")
    path = None if out is None else read_path("out", out)
    env = with_arguments(env, env_args)
    use_persistent_cache()
    with memory_errors_in_one_line(), ExitStack() as stack:
        plan = make_plan(env, recipe, budget.steps, (policy, critic), seed, stack)
        plan = replace(
            plan,
            evaluations=budget.evaluations,
            checkpoint_seconds=budget.checkpoint_seconds,
            workers=processes,
        )
        reporter = stack.enter_context(Reporter(plan.steps))
        for line in plan.warnings:
            reporter.log(f"warning: {line}")
        given = {*(recipe.given if isinstance(recipe, Recipe) else ()), *(("steps",) if budget.steps else ())}
        if tuned := [f"{name} {value}" for name, value in plan.tuned.items() if name not in given]:
            reporter.log(f"tuned for {name_of(env)}: {', '.join(tuned)}")
        path = path or home / default_path(name_of(env), plan.name, seed)
        stack.enter_context(new_run_directory(path))
        return run_training(plan, RunDirectory(path, run_configuration(plan), reporter.log), listeners, reporter, stack)


def resume(
    directory: str | bytes | Path,
    *,
    steps: WholeNumber | None = None,
    env: EnvironmentSource | None = None,
    algorithm: Recipe | Algorithm | None = None,
    policy: PyTree = None,
    critic: PyTree = None,
    callbacks: Callback | Iterable[Callback] = (),
    workers: Workers | WholeNumber | None = "auto",
    env_args: Mapping[str, Any] | None = None,
) -> Run:
    """Continue a run that was ended by a signal, a crash or its budget, from its newest checkpoint.

    On JAX environments, and on host environments that repeat themselves under the same seed and actions, the resumed
    run equals the run that was never ended, bit for bit. Host environments that do not repeat themselves are detected,
    a line says so, and they begin new episodes.

    - `steps`: a new budget, counted from the run's beginning; schedules then run to its end.
    - `env`: the environment, where logpi and Gymnasium do not know the run's own by name. Nothing that a directory
      names is imported.
    - `algorithm`, `policy`, `critic`: as they were given to `train`, if the algorithm was put together from parts.
    - `env_args`: arguments of the environment that replace those it was trained with.
    - `callbacks`, `workers`: as in `train`. A pipelined run goes on with new episodes.

    Raises LogpiError where the directory holds no run, one that is being trained, or one of other shapes; and
    NoCheckpoint where none of its checkpoints can be read.
    """
    path = read_path("directory", directory)
    config = configuration.read(path)
    budget = read_budget(steps, config["evaluations"], config["checkpoint_seconds"])
    listeners = read_callbacks(callbacks)
    source = configuration.environment(config, path, env, env_args)
    recipe = read_algorithm(algorithm) if algorithm is not None else configuration.recipe(config, path)
    use_persistent_cache()
    with memory_errors_in_one_line(), ExitStack() as stack:
        plan = make_plan(source, recipe, budget.steps or config["steps"], (policy, critic), config["seed"], stack)
        configuration.require_spaces(config, path, plan.environment.spec)
        plan = replace(
            plan,
            evaluations=budget.evaluations,
            checkpoint_seconds=budget.checkpoint_seconds,
            workers=parse_workers(workers),
        )
        reporter = stack.enter_context(Reporter(plan.steps))
        for line in plan.warnings:
            reporter.log(f"warning: {line}")
        stack.enter_context(lock_run(path))
        # A run that was ended before its first checkpoint has none, and no rows: it starts from the beginning.
        has_checkpoint = checkpoints.list_checkpoints(path / "checkpoints", checkpoints.LAST)
        begun = has_checkpoint or read_metrics(path / "metrics.jsonl")
        saved = checkpoints.newest(path / "checkpoints", say=reporter.log) if begun else None
        reached = progress.read(saved) if saved else Progress()
        checkpoints.remove_stale(path / "checkpoints", reached.iteration)
        kept = {"environment": config["environment"], "started": config.get("started")}
        if not same_task(name_of(source), config["environment"]):
            kept |= {"env_args": config.get("env_args", {}), "hide": config.get("hide", [])}
        new_config = run_configuration(plan) | kept
        if config["description"] not in ([], new_config["description"]):  # empty: migrated from an earlier schema
            reporter.log(f"the algorithm is not the one that {path} was started with; it goes on with this one")
        reporter.log(f"going on from step {reached.steps:,} of {plan.steps:,}")
        run_directory = RunDirectory(path, new_config, reporter.log, reached.rows)
        return run_training(plan, run_directory, listeners, reporter, stack, saved)


def run_configuration(plan: Plan) -> dict[str, Any]:
    """Return the contents of run.json for a plan."""
    return configuration.configuration(
        plan.environment.spec,
        plan.settings,
        describe(plan.algorithm),
        environment=name_of(plan.source),
        env_args=recorded_arguments(plan.source),
        hide=list(hidden_entries(plan.source)),
        algorithm=plan.name,
        seed=plan.seed,
        steps=plan.steps,
        evaluations=plan.evaluations,
        checkpoint_seconds=plan.checkpoint_seconds,
    )
