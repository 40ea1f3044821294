"""A finished run: its networks, its figures, its directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.runs import checkpoint, checkpoints, configuration
from logpi.runs.files import read_json, read_metrics
from logpi.spaces import serialize


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
    """The run in a directory. Nothing in it is run, and no environment is made.

    - `policy`, `critic`: networks shaped like those that were trained; needed where the run was not made by a preset.
    - `which`: "final" for the newest networks that can be read, or "best" for those of the best evaluation.

    Raises LogpiError where the directory holds no run, or one of other shapes; NoCheckpoint where no checkpoint in it
    can be read.
    """
    path = Path(directory)
    said = configuration.read(path)
    kinds = {"final": checkpoints.LAST, "best": checkpoints.BEST}
    if which not in kinds:
        raise LogpiError(f"which is {which}; allowed: {', '.join(kinds)}")
    if policy is None:
        policy, critic = _shapes(said, path)
    saved = checkpoints.newest(path / "checkpoints", kinds[which])
    policy = checkpoint.restore(saved, policy, "carry.state.policy")
    critic = checkpoint.restore(saved, critic, "carry.state.critic")
    summary = read_json(path / "summary.json") if (path / "summary.json").exists() else {}
    return Run(policy, critic, read_metrics(path / "metrics.jsonl"), summary, path)


def _shapes(said: dict[str, Any], path: Path) -> tuple[PyTree, PyTree]:
    """The shapes of the networks the run was started with: nothing is allocated for what a file claims."""
    recipe = configuration.recipe(said, path)
    observation, action = (serialize.from_json(said["spaces"].get(name)) for name in ("observation", "action"))
    spec = Spec(said["environment"], 1, observation, action)
    try:
        build = lambda key: recipe.build(spec, recipe.settings(said["environment"]), key)[1:]
        return eqx.filter_eval_shape(build, jax.random.key(0))
    except (OverflowError, TypeError, MemoryError) as error:
        raise LogpiError(f"{path / 'run.json'} names networks that cannot be: {error}") from None
