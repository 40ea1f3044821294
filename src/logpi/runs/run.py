"""A finished run: its networks, its figures, its directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from logpi.runs import checkpoint
from logpi.runs.directory import read_json, read_metrics


@dataclass(frozen=True)
class Run:
    """What training leaves behind.

    - `policy`, `critic`: the final networks; the policy takes raw observations.
    - `metrics`: one record an iteration, as in metrics.jsonl.
    - `summary`: the last figures, as in summary.json.
    - `directory`: where all of it is.
    """

    policy: PyTree
    critic: PyTree
    metrics: list[dict[str, Any]]
    summary: dict[str, Any]
    directory: Path


def load(directory: str | Path, *, policy: PyTree = None, critic: PyTree = None, which: str = "final") -> Run:
    """The run in a directory.

    - `policy`, `critic`: networks shaped like those that were trained; needed where the run was not made by a preset
      on an environment known by name.
    - `which`: "final", or "best" for the networks of the best evaluation.

    Raises LogpiError where the directory holds no run, or one of other shapes.
    """
    path = Path(directory)
    configuration = read_json(path / "run.json")
    if policy is None:
        policy, critic = _networks(configuration, path)
    policy, critic = checkpoint.load(path / "checkpoints" / which, (policy, critic))
    summary = read_json(path / "summary.json") if (path / "summary.json").exists() else {}
    return Run(policy, critic, read_metrics(path / "metrics.jsonl"), summary, path)


def _networks(configuration: dict[str, Any], path: Path) -> tuple[PyTree, PyTree]:
    """Networks like the ones the run was started with."""
    import jax

    from logpi.algorithms.names import ALGORITHMS
    from logpi.environments.names import make
    from logpi.errors import LogpiError

    name = configuration.get("algorithm")
    if name not in ALGORITHMS:
        raise LogpiError(f"{path} was trained by a hand-built algorithm: pass networks like its own, policy=…")
    recipe = ALGORITHMS[name](**configuration["settings"])
    environment = make(configuration["environment"], 1)
    return recipe.build(environment.spec, configuration["settings"], jax.random.key(0))[1:]
