"""A trained run: its networks, its metrics, its directory."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

from logpi.core.paths import read_path
from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.runs import checkpoint, checkpoints, configuration
from logpi.runs.files import read_json, read_metrics
from logpi.runs.schema import NUMBER_OR_NULL, check_fields


@dataclass(frozen=True, repr=False)
class Run:
    """Result of training.

    - `policy`, `critic`: the final networks; the policy takes raw observations.
    - `metrics`: one record per iteration, as in metrics.jsonl.
    - `summary`: the last figures, as in summary.json.
    - `directory`: the run directory.
    """

    policy: PyTree
    critic: PyTree
    metrics: list[dict[str, Any]]
    summary: dict[str, Any]
    directory: Path

    def __repr__(self) -> str:
        """Return the run in one line; its networks and metrics are long."""
        figures = ("steps", "return_mean", "best_eval_return_mean")
        shown = (f"{name}={self.summary[name]:.6g}" for name in figures if self.summary.get(name) is not None)
        networks = f"policy={type(self.policy).__name__}, critic={type(self.critic).__name__}"
        return f"Run({', '.join((repr(str(self.directory)), *shown))}, {networks}, {len(self.metrics)} metrics)"


def load(directory: str | bytes | Path, *, policy: PyTree = None, critic: PyTree = None, which: str = "final") -> Run:
    """Load the run in a directory. Nothing in the directory is executed, and no environment is made.

    - `policy`, `critic`: networks of the same shapes as the trained ones; needed where no preset made the run.
    - `which`: "final" for the newest networks that can be read, or "best" for those of the best evaluation.

    Raises LogpiError where the directory holds no run, or one of other shapes; NoCheckpoint where no checkpoint in it
    can be read.
    """
    path = read_path("directory", directory)
    config = configuration.read(path)
    kinds = {"final": checkpoints.LAST, "best": checkpoints.BEST}
    if which not in kinds:
        raise LogpiError(f"which is {which}; allowed: {', '.join(kinds)}")
    if policy is None:
        policy, critic = _shapes(config, path)
    saved = checkpoints.newest(path / "checkpoints", kinds[which])
    policy = checkpoint.restore(saved, policy, "carry.state.policy")
    critic = checkpoint.restore(saved, critic, "carry.state.critic")
    summary = _summary(path / "summary.json")
    return Run(policy, critic, read_metrics(path / "metrics.jsonl"), summary, path)


def _summary(path: Path) -> dict[str, Any]:
    """Read summary.json: numbers and nulls; {} where a run was ended before it wrote one."""
    if not os.path.lexists(path):
        return {}
    summary = read_json(path)
    check_fields(summary, dict.fromkeys(summary, NUMBER_OR_NULL), str(path))
    return summary


def _shapes(config: dict[str, Any], path: Path) -> tuple[PyTree, PyTree]:
    """Compute the shapes of the run's networks, without allocating what an untrusted file claims."""
    recipe = configuration.recipe(config, path)
    spec = Spec(config["environment"], 1, *configuration.trained_spaces(config))
    try:
        build = lambda key: recipe.build(spec, recipe.settings(config["environment"]), key)[1:]
        return eqx.filter_eval_shape(build, jax.random.key(0))
    except (OverflowError, TypeError, MemoryError) as error:
        raise LogpiError(f"{path / 'run.json'} names networks that cannot be: {error}") from None
