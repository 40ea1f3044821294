"""Checks of episode ends and starts, from observations and flags alone."""

import warnings
from dataclasses import dataclass

import jax
import numpy as np

from logpi.core.numpy_trees import HostTree
from logpi.environments.protocol import Spec, Step
from logpi.testing.expect import close, require


@dataclass
class Played:
    """Record of one rollout from a seed: the first observations, and every step."""

    first: HostTree
    steps: list[Step]


def check_ends(spec: Spec, played: Played) -> None:
    """Check time limits, that obs = next_obs inside episodes, and obs ≠ next_obs at ends."""
    time, ends, same = np.zeros(spec.num_envs, int), 0, 0
    for t, step in enumerate(played.steps):
        done = (step.terminated | step.truncated) & step.valid
        alike = np.array([close(_row(step.obs, i), _row(step.next_obs, i), 0) for i in range(spec.num_envs)])
        moved = np.flatnonzero(step.valid & ~done & ~alike)
        remedy = "where no episode ends, obs is next_obs; reset one environment without touching the others"
        require(not len(moved), f"environment {moved[:1]} was moved at step {t} without an end of its own", remedy)
        time = np.where(step.valid, time + 1, 0)
        late = spec.time_limit is not None and bool((time[~done] >= spec.time_limit).any())
        require(not late, f"an episode goes on after the time limit of {spec.time_limit}", "set truncated at the limit")
        ends, same, time = ends + done.sum(), same + (done & alike).sum(), np.where(done, 0, time)
    good = _resets_later(played) or ends < 3 or same < ends or _still(played)
    remedy = "next_obs must be the true last observation, obs the first of the next episode"
    require(good, f"at all {ends} ends obs is next_obs", remedy)
    if spec.time_limit is None and (ends == 0 or any(step.truncated.any() for step in played.steps)):
        warnings.warn(
            f"{spec.name} has no known time limit: to collect or evaluate whole episodes,"
            " make it with one, logpi.make(…, time_limit=…), or --max-episode-steps",
            stacklevel=3,
        )


def check_starts(spec: Spec, starts: list[HostTree], played: Played) -> None:
    """Check that random starts differ between environments, and that episodes after an end start like after reset."""
    flat = np.stack([_numbers(obs, spec.num_envs) for obs in starts])  # [seeds, N, D]
    single = flat[:, 0]
    random = len(np.unique(single, axis=0)) == len(single)
    alike = random and any(len(np.unique(rows, axis=0)) < spec.num_envs for rows in flat)
    remedy = "give each environment a seed or key of its own"
    require(not alike, "starts are random, yet environments under one seed start alike", remedy)
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    margin = (high - low) + 1e-6
    fresh = _after_ends(played, spec.num_envs)
    strange = [x for x in fresh if bool(((x < low - margin) | (x > high + margin)).any())]
    remedy = "after an end, obs must be the first observation of a new episode"
    wrong = f"{len(strange)} of {len(fresh)} observations after ends are unlike any that reset gives"
    require(2 * len(strange) <= len(fresh), wrong, remedy)


def _after_ends(played: Played, num_envs: int) -> list[np.ndarray]:
    """First observations of later episodes: in the row of an end, or in the dummy row that follows it."""
    found, pending = [], np.zeros(num_envs, bool)
    later = _resets_later(played)
    for step in played.steps:
        rows = _numbers(step.obs, num_envs)
        done = (step.terminated | step.truncated) & step.valid
        begins = pending & ~step.valid if later else done
        found += [rows[i] for i in np.flatnonzero(begins)]
        pending = done
    return found


def _resets_later(played: Played) -> bool:
    """Tell whether an end is followed by a dummy row (autoreset in the next step)."""
    return any(not step.valid.all() for step in played.steps)


def _still(played: Played) -> bool:
    """Tell whether observations never change."""
    return all(close(step.next_obs, played.first, 0) for step in played.steps)


def _row(obs: HostTree, i: int) -> HostTree:
    return jax.tree.map(lambda x: x[i], obs)


def _numbers(obs: HostTree, rows: int) -> np.ndarray:
    """Flatten observations to float64 rows."""
    return np.concatenate([np.asarray(x, np.float64).reshape(rows, -1) for x in jax.tree.leaves(obs)], axis=1)
