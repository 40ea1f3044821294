"""The command `logpi lab`: measure estimators of the gradient on a task."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logpi.environments.registry import check, name_of
from logpi.environments.source import EnvironmentSource, hidden_entries, with_arguments
from logpi.environments.source import hide as hide_entries
from logpi.errors import LogpiError


def lab(
    env: str,
    run: str | None,
    out: str | None,
    as_json: bool,
    exact: bool,
    seed: int,
    gamma: float | None = None,
    horizon: int | None = None,
    env_args: Mapping[str, Any] | None = None,
    hide: tuple[int, ...] | None = None,
    **given: object,
) -> None:
    """Measure, print the table, and write table.csv and figure.png."""
    check(env)
    source = hide_entries(with_arguments(env, env_args), hide)
    arguments = _measure_arguments(source, exact, given)
    if out is not None:
        _require_directory(Path(out))
    if gamma is not None and not 0 <= gamma <= 1:
        raise LogpiError(f"gamma is {gamma}; allowed: 0 … 1")
    from logpi.core.compilation import use_persistent_cache
    from logpi.lab.measure import measure
    from logpi.lab.problem import problem

    use_persistent_cache()
    policy, critic, run_gamma = _networks(run) if run else (None, None, None)
    task = problem(
        source,
        policy,
        critic,
        gamma=run_gamma if gamma is None else gamma,
        horizon=horizon,
        seed=seed,
    )
    rows = measure(task, seed=seed, **arguments)
    title = f"{env}: {arguments['batches']} batches of {arguments['batch']} episodes, γ = {task.gamma:g}"
    _report(rows, title, out, as_json)


def _measure_arguments(env: EnvironmentSource, exact: bool, given: dict[str, Any]) -> dict[str, Any]:
    """Complete the arguments of `measure` with defaults. Raises LogpiError for wrong ones before compiling."""
    from logpi.lab.baselines import BASELINES
    from logpi.lab.measure import DEFAULT_BASELINES, DEFAULT_ESTIMATORS, NAMES, compatible_pairs
    from logpi.lab.problem import EXACT

    has_exact_answers = name_of(env).startswith(EXACT) and not hidden_entries(env)
    if exact and not has_exact_answers:
        subject = f"{name_of(env)} with hidden entries" if hidden_entries(env) else name_of(env)
        allowed = ", ".join(f"{prefix}…" for prefix in EXACT)
        raise LogpiError(f"{subject} has no exact answers, which --exact asks for; allowed: {allowed}")
    everything = given.pop("everything")
    defaults = (tuple(NAMES), tuple(BASELINES)) if everything else (DEFAULT_ESTIMATORS, DEFAULT_BASELINES)
    for name, default in zip(("estimators", "baselines"), defaults, strict=True):
        given[name] = given[name] or default
    given["batches"] = given["batches"] or (2000 if has_exact_answers else 100)
    compatible_pairs(given["estimators"], given["baselines"])
    return given


def _networks(directory: str) -> tuple[Any, Any, float]:
    """Load policy, critic and γ of a run."""
    from logpi.runs import configuration
    from logpi.runs.run import load

    config = configuration.read(Path(directory))
    run = load(directory)
    return run.policy, run.critic, float(config["settings"]["gamma"])


def _require_directory(out: Path) -> None:
    """Make the directory of the results. Raises LogpiError, before anything is measured, where it cannot be one."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise LogpiError(f"--out {out} is no directory to write into: {reason}; allowed: a new or empty one") from None


def _report(rows: list[Any], title: str, out: str | None, as_json: bool) -> None:
    """Print the measurements as a table or as JSON, and write both files where a directory is given."""
    from logpi.lab.figure import draw
    from logpi.lab.report import records, show, write_csv

    if out is not None:
        write_csv(Path(out) / "table.csv", rows)
        draw(Path(out) / "figure.png", rows, title)
    if as_json:
        print(json.dumps({"title": title, "rows": records(rows)}))
    else:
        show(rows, title, sys.stdout)
