"""Migrations: the names that earlier versions of logpi wrote into run directories, and those of today.

run.json and the manifest of every checkpoint carry the number of the schema that they were written in. Older ones are
read through one table for each step between schemas; a number that is too old or too new is refused by its number.
A schema changes by one more entry in MIGRATIONS and a golden directory of the old one in tests/golden.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from logpi.errors import LogpiError

T = TypeVar("T")


@dataclass(frozen=True)
class Migration:
    """Renames that lead from one schema to the next.

    - `settings`: options in run.json, old name to new name.
    - `settings_of`: the same for the options of one method, where the old name stays in use elsewhere.
    - `arrays`: paths of arrays in a checkpoint: a regular expression and what replaces each match, applied in order.
    - `zeros`: paths of arrays that are new, and of those that they are zeros like.
    - `metrics`: columns of metrics.jsonl. A run that goes on has rows of both schemas in one file, so that an old name
      must not be given to another figure.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    settings_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    arrays: Mapping[str, str] = field(default_factory=dict)
    zeros: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)


OLDEST = 2  # the first schema that can be read; run.json had no number then
MIGRATIONS = (
    Migration(  # 2 → 3: the field's names for options, and fields of the carry named after what they hold
        settings={
            "rollout_length": "num_steps",
            "limit": "max_episode_steps",
            "discount": "gamma",
            "decay": "gae_lambda",
            "minibatch": "minibatch_size",
            "critic_minibatch": "critic_minibatch_size",
            "clip": "clip_range",
            "clip_value": "vf_clip_range",
            "entropy_weight": "ent_coef",
            "value_weight": "vf_coef",
            "max_gradient_norm": "max_grad_norm",
            "min_effective_share": "min_effective_sample_share",
            "perturbation": "sigma",
            "standardise": "normalize_advantages",
            "separate": "separate_optimizers",
            "recompute": "recompute_advantages",
            "normalise_observations": "normalize_observations",
            "normalise_returns": "normalize_returns",
            "gradient_groups": "noise_scale_groups",
        },
        settings_of={"ppo": {"max_kl": "target_kl"}},
        arrays={
            r"^carry\.environment\b": "carry.env_state",
            r"^carry\.running\b": "carry.partial_returns",
            r"^unfinished\b": "episodes",
            r"^carry\.state\.opt\.kept\b": "carry.state.opt.displacements",
        },
        metrics={
            "realised_improvement": "realized_improvement",
            "realised_improvement_error": "realized_improvement_error",
        },
    ),
    Migration(  # 3 → 4: returns so far are sums of two floats
        arrays={r"^carry\.partial_returns$": "carry.partial_returns.high"},
        zeros={"carry.partial_returns.low": "carry.partial_returns.high"},
    ),
)
SCHEMA = OLDEST + len(MIGRATIONS)


def check_schema(number: object, path: Path) -> int:
    """Return the schema number found in a file; raises LogpiError, naming it, where this version cannot read it."""
    if type(number) is not int or not OLDEST <= number <= SCHEMA:
        raise LogpiError(f"{path} has schema {number}; this version of logpi reads {OLDEST} to {SCHEMA}")
    return number


def migrate_configuration(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the content of run.json under today's names.

    The description of a migrated run is empty: it names parts as an earlier version did, and compares with nothing.
    Raises LogpiError for a schema that cannot be read.
    """
    schema = check_schema(config.get("schema", OLDEST), path)
    migrated = {**config, "schema": SCHEMA}
    if schema == SCHEMA:
        return migrated
    settings = dict(config["settings"])
    for migration in MIGRATIONS[schema - OLDEST :]:
        settings = _rename(settings, {**migration.settings_of.get(config["algorithm"], {}), **migration.settings})
    return migrated | {"settings": settings, "description": []}


def migrate_arrays(arrays: Mapping[str, np.ndarray | np.generic], schema: int) -> dict[str, Any]:
    """Return the arrays of a checkpoint, written in a schema of that number, under the paths of today's carry."""
    migrated = dict(arrays)
    for migration in MIGRATIONS[schema - OLDEST :]:
        for pattern, replacement in migration.arrays.items():
            migrated = {re.sub(pattern, replacement, path): array for path, array in migrated.items()}
        migrated |= {path: np.zeros_like(migrated[like]) for path, like in migration.zeros.items() if like in migrated}
    return migrated


def migrate_row(row: Mapping[str, T]) -> dict[str, T]:
    """Return a row of metrics.jsonl, of whatever schema, under today's column names."""
    migrated = dict(row)
    for migration in MIGRATIONS:
        migrated = _rename(migrated, migration.metrics)
    return migrated


def _rename(values: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T]:
    return {names.get(name, name): value for name, value in values.items()}
