"""`logpi lab`: estimators of the gradient measured on a task."""

import json
import sys
from pathlib import Path
from typing import Any

from logpi.environments.registry import check, name_of
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
    **how: Any,
) -> None:
    """Measure, show the table, write table.csv and figure.png."""
    check(env)
    how = _settled(env, exact, how)
    if gamma is not None and not 0 <= gamma <= 1:
        raise LogpiError(f"gamma is {gamma}; allowed: 0 … 1")
    from logpi.core.compilation import use_persistent_cache
    from logpi.lab.measure import measure
    from logpi.lab.problem import problem

    use_persistent_cache()
    policy, critic, its_own = _networks(run) if run else (None, None, None)
    world = problem(env, policy, critic, gamma=its_own if gamma is None else gamma, horizon=horizon, seed=seed)
    rows = measure(world, seed=seed, **how)
    title = f"{env}: {how['batches']} batches of {how['batch']} episodes, γ = {world.gamma:g}"
    _report(rows, title, out, as_json)


def _settled(env: str, exact: bool, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `measure`; whatever is wrong with them is said before anything is compiled."""
    from logpi.lab.baselines import BASELINES
    from logpi.lab.measure import DEFAULT_BASELINES, DEFAULT_ESTIMATORS, NAMES, compatible_pairs

    oracle = env.startswith("tabular:")
    if exact and not oracle:
        raise LogpiError(f"{name_of(env)} has no exact answers, which --exact asks for; allowed: tabular:…")
    everything = given.pop("everything")
    usual = (tuple(NAMES), tuple(BASELINES)) if everything else (DEFAULT_ESTIMATORS, DEFAULT_BASELINES)
    for name, default in zip(("estimators", "baselines"), usual, strict=True):
        given[name] = given[name] or default
    given["batches"] = given["batches"] or (2000 if oracle else 100)
    compatible_pairs(given["estimators"], given["baselines"])
    return given


def _networks(directory: str) -> tuple[Any, Any, float]:
    """Policy, critic and γ of a run."""
    from logpi.runs import configuration
    from logpi.runs.run import load

    said = configuration.read(Path(directory))
    run = load(directory)
    return run.policy, run.critic, float(said["settings"]["gamma"])


def _report(rows: list[Any], title: str, out: str | None, as_json: bool) -> None:
    from logpi.lab.figure import draw
    from logpi.lab.report import records, show, write_csv

    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        write_csv(Path(out) / "table.csv", rows)
        draw(Path(out) / "figure.png", rows, title)
    if as_json:
        print(json.dumps({"title": title, "rows": records(rows)}))
    else:
        show(rows, title, sys.stdout)
