"""Snapshots of unfinished episodes on the host, stored as their actions and restored by replay. Needs no JAX."""

from typing import Any

import numpy as np

from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.environments.protocol import Restartable
from logpi.errors import LogpiError

EpisodeSnapshot = dict[str, Any]
"""Unfinished episodes as arrays, see `snapshot`."""


class ActionLog:
    """Actions that each environment received since its episode began; a rollout is added at once, not per step."""

    def __init__(
        self, env_action: HostTree, saved: EpisodeSnapshot | None = None, not_restored: np.ndarray | None = None
    ):
        """Start a log, empty or from a snapshot.

        - `env_action`: buffers [T, N, ...] like those that will be added.
        - `saved`, `not_restored`: a snapshot, and bool [N], True for environments that could not be restored from it.
        """
        nothing = tree_map(lambda x: np.zeros((0, *x.shape[2:]), x.dtype), env_action)
        n = tree_leaves(env_action)[0].shape[1]
        self._segments: list[tuple[Any, ...]] = [(nothing,)] * n
        if saved is not None and not_restored is not None:
            ends = np.cumsum(saved["length"])
            for i in np.flatnonzero(~not_restored):
                rows = slice(ends[i] - saved["length"][i], ends[i])
                self._segments[i] = (tree_map(lambda x, rows=rows: x[rows], saved["action"]),)

    def add(self, env_action: HostTree, ended: np.ndarray, starts: np.ndarray) -> None:
        """Add a rollout.

        - `env_action`: the environments' actions, [T, N, ...].
        - `ended`: rows after which a new episode began, bool [T, N].
        - `starts`: environments in which an episode began with the rollout's first row, bool [N].
        """
        for i, earlier in enumerate(self._segments):
            ends = np.flatnonzero(ended[:, i])
            first = ends[-1] + 1 if ends.size else 0
            segment = tree_map(lambda x, i=i, first=first: x[first:, i].copy(), env_action)
            self._segments[i] = (segment,) if ends.size or starts[i] else (*earlier, segment)

    def segments(self) -> list[tuple[Any, ...]]:
        """Return the actions of each environment, in segments of one rollout each; later additions do not change it."""
        return list(self._segments)


def snapshot(episode: np.ndarray, obs: HostTree, segments: list[tuple[Any, ...]]) -> EpisodeSnapshot:
    """Assemble the state of every unfinished episode as arrays.

    - `episode`: index of each environment's episode, [N].
    - `obs`: current observations [N, ...].
    - `segments`: the actions that led there, as `ActionLog.segments` returns them.
    """
    actions = [tree_map(lambda *x: np.concatenate(x), *parts) for parts in segments]
    length = np.asarray([len(tree_leaves(x)[0]) for x in actions])
    return {
        "episode": episode,
        "obs": obs,
        "length": length,
        "action": tree_map(lambda *x: np.concatenate(x), *actions),
    }


def check_snapshot(saved: EpisodeSnapshot, like: EpisodeSnapshot, place: str) -> None:
    """Raise LogpiError where a snapshot that was read from a file cannot be one of the environments of `like`.

    - `place`: of the file, for messages.
    """
    for name in ("episode", "obs", "length"):
        _check_arrays(name, saved[name], like[name], place)
    for name in ("episode", "length"):
        if (saved[name] < 0).any():
            raise LogpiError(f"{place}: {name} of unfinished episodes is {saved[name].min()}; allowed: numbers ≥ 0")
    # Added up as Python's integers: a sum of 64 bits may wrap around.
    rows = sum(map(int, saved["length"]))
    for action, known in zip(tree_leaves(saved["action"]), tree_leaves(like["action"]), strict=True):
        if action.ndim != known.ndim or len(action) != rows:
            raise LogpiError(f"{place}: unfinished episodes have {rows} steps, and actions of shape {action.shape}")
        _check_arrays("action", action[:0], known[:0], place)


def _check_arrays(name: str, saved: HostTree, like: HostTree, place: str) -> None:
    for array, known in zip(tree_leaves(saved), tree_leaves(like), strict=True):
        if (array.shape, array.dtype) != (known.shape, known.dtype):
            raise LogpiError(
                f"{place}: {name} of unfinished episodes was saved as {array.dtype} {array.shape}, expected"
                f" {known.dtype} {known.shape}"
            )


def snapshot_shard(saved: EpisodeSnapshot, columns: slice) -> EpisodeSnapshot:
    """Return the part of a snapshot that belongs to a range of neighboring environments."""
    ends = np.cumsum(saved["length"])
    first = (ends - saved["length"])[columns]
    rows = slice(first[0], ends[columns][-1])
    shard = {name: tree_map(lambda x: x[columns], saved[name]) for name in ("episode", "obs", "length")}
    return shard | {"action": tree_map(lambda x: x[rows], saved["action"])}


def replay(environment: Restartable, seed: int, saved: EpisodeSnapshot) -> tuple[HostTree, np.ndarray]:
    """Restore every environment by replaying its actions; returns (observations [N, ...], not restored [N]).

    An environment whose observation then differs from the saved one does not repeat itself: it begins its next episode.
    """
    obs, not_restored = _replay_actions(environment, seed, saved, saved["episode"], saved["length"])
    for now, before in zip(tree_leaves(obs), tree_leaves(saved["obs"]), strict=True):
        not_restored |= (now != before).reshape(len(now), -1).any(axis=1)
    if not_restored.any():
        episode, length = saved["episode"] + not_restored, np.where(not_restored, 0, saved["length"])
        obs, _ = _replay_actions(environment, seed, saved, episode, length)
    return obs, not_restored


def _replay_actions(
    environment: Restartable, seed: int, saved: EpisodeSnapshot, episode: np.ndarray, length: np.ndarray
) -> tuple[HostTree, np.ndarray]:
    """Begin these episodes and take their first `length` steps; returns (observations, ended too early [N])."""
    obs, ended = environment.restart(seed, episode), np.zeros(len(length), bool)
    first = np.cumsum(saved["length"]) - saved["length"]
    for t in range(int(length.max())):
        idle = t >= length
        row = np.where(idle, 0, first + t)
        step = environment.step(tree_map(lambda x, row=row: x[row], saved["action"]), idle)
        ended |= ~idle & (step.terminated | step.truncated)
        keep = lambda old, new, idle=idle: np.where(idle.reshape(-1, *[1] * (new.ndim - 1)), old, new)
        obs = tree_map(keep, obs, step.obs)
    return obs, ended
