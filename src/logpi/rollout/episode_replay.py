"""Snapshots of unfinished episodes on the host, stored as their actions and restored by replay. Needs no JAX."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.environments.protocol import Restartable
from logpi.errors import LogpiError

EpisodeSnapshot = dict[str, Any]
"""Unfinished episodes as arrays, see `snapshot`."""

NOT_LOGGED = -1
"""Length, in a snapshot, of an episode whose actions are not in it because there were too many."""

LONGEST_ENDLESS = 2_000
"""Steps of an episode whose actions are kept where no time limit bounds it: a task without ends would keep all of a
run's actions, and replay all of them."""


@dataclass(frozen=True)
class LoggedActions:
    """The actions of every environment's unfinished episode.

    - `segments`: of each environment, in segments of one rollout each; empty where they were too many.
    - `complete`: bool [N], False for an environment whose actions were too many to be kept.
    """

    segments: list[tuple[HostTree, ...]]
    complete: np.ndarray


class ActionLog:
    """Actions that each environment received since its episode began; a rollout is added at once, not per step."""

    def __init__(
        self,
        env_action: HostTree,
        saved: EpisodeSnapshot | None = None,
        not_restored: np.ndarray | None = None,
        longest: int | None = None,
    ):
        """Start a log, empty or from a snapshot.

        - `env_action`: buffers [T, N, ...] like those that will be added.
        - `saved`, `not_restored`: a snapshot, and bool [N], True for environments that could not be restored from it.
        - `longest`: steps of an episode beyond which its actions are dropped; None keeps all.
        """
        self._nothing = tree_map(lambda x: np.zeros((0, *x.shape[2:]), x.dtype), env_action)
        self._longest = longest
        n = tree_leaves(env_action)[0].shape[1]
        self._segments: list[tuple[HostTree, ...]] = [(self._nothing,)] * n
        self._length = np.zeros(n, int)
        if saved is not None and not_restored is not None:
            rows = _rows_of_each(saved)
            for i in np.flatnonzero(~not_restored):
                self._segments[i] = (tree_map(lambda x, i=i: x[rows[i]], saved["action"]),)
                self._length[i] = saved["length"][i]

    def add(self, env_action: HostTree, ended: np.ndarray, starts: np.ndarray) -> None:
        """Add a rollout.

        - `env_action`: the environments' actions, [T, N, ...].
        - `ended`: rows after which a new episode began, bool [T, N].
        - `starts`: environments in which an episode began with the rollout's first row, bool [N].
        """
        for i, earlier in enumerate(self._segments):
            ends = np.flatnonzero(ended[:, i])
            first = ends[-1] + 1 if ends.size else 0
            is_new = bool(ends.size or starts[i])
            self._length[i] = len(ended) - first + (0 if is_new else self._length[i])
            if self._longest is not None and self._length[i] > self._longest:
                self._segments[i] = (self._nothing,)
                continue
            segment = tree_map(lambda x, i=i, first=first: x[first:, i].copy(), env_action)
            self._segments[i] = (segment,) if is_new else (*earlier, segment)

    def logged(self) -> LoggedActions:
        """Return the actions of each environment so far; later additions do not change the result."""
        complete = np.ones(len(self._length), bool) if self._longest is None else self._length <= self._longest
        return LoggedActions(list(self._segments), complete)


def snapshot(episode: np.ndarray, obs: HostTree, logged: LoggedActions) -> EpisodeSnapshot:
    """Assemble the state of every unfinished episode as arrays.

    - `episode`: index of each environment's episode, [N].
    - `obs`: current observations [N, ...].
    - `logged`: the actions that led there, as `ActionLog.logged` returns them.

    The length of an episode whose actions are not complete is `NOT_LOGGED`.
    """
    actions = [tree_map(lambda *x: np.concatenate(x), *parts) for parts in logged.segments]
    length = np.where(logged.complete, np.asarray([len(tree_leaves(x)[0]) for x in actions]), NOT_LOGGED)
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
    for name, least in (("episode", 0), ("length", NOT_LOGGED)):
        if (saved[name] < least).any():
            lowest = saved[name].min()
            raise LogpiError(f"{place}: {name} of unfinished episodes is {lowest}; allowed: numbers ≥ {least}")
    # Added up as Python's integers: a sum of 64 bits may wrap around.
    rows = sum(max(0, int(length)) for length in saved["length"])
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
    each = _rows_of_each(saved)[columns]
    rows = slice(each[0].start, each[-1].stop)
    shard = {name: tree_map(lambda x: x[columns], saved[name]) for name in ("episode", "obs", "length")}
    return shard | {"action": tree_map(lambda x: x[rows], saved["action"])}


def replay(environment: Restartable, seed: int, saved: EpisodeSnapshot) -> tuple[HostTree, np.ndarray]:
    """Restore every environment by replaying its actions; returns (observations [N, ...], not restored [N]).

    An environment whose observation then differs from the saved one does not repeat itself: it begins its next episode,
    and so does one whose actions were too many to be saved.
    """
    logged_length = np.maximum(saved["length"], 0)
    obs, not_restored = _replay_actions(environment, seed, saved, saved["episode"], logged_length)
    not_restored |= saved["length"] == NOT_LOGGED
    for now, before in zip(tree_leaves(obs), tree_leaves(saved["obs"]), strict=True):
        not_restored |= (now != before).reshape(len(now), -1).any(axis=1)
    if not_restored.any():
        episode, length = saved["episode"] + not_restored, np.where(not_restored, 0, logged_length)
        obs, _ = _replay_actions(environment, seed, saved, episode, length)
    return obs, not_restored


def _replay_actions(
    environment: Restartable, seed: int, saved: EpisodeSnapshot, episode: np.ndarray, length: np.ndarray
) -> tuple[HostTree, np.ndarray]:
    """Begin these episodes and take their first `length` steps; returns (observations, ended too early [N])."""
    obs, ended = environment.restart(seed, episode), np.zeros(len(length), bool)
    first = np.asarray([rows.start for rows in _rows_of_each(saved)])
    for t in range(int(length.max())):
        idle = t >= length
        row = np.where(idle, 0, first + t)
        step = environment.step(tree_map(lambda x, row=row: x[row], saved["action"]), idle)
        ended |= ~idle & (step.terminated | step.truncated)
        keep = lambda old, new, idle=idle: np.where(idle.reshape(-1, *[1] * (new.ndim - 1)), old, new)
        obs = tree_map(keep, obs, step.obs)
    return obs, ended


def _rows_of_each(saved: EpisodeSnapshot) -> list[slice]:
    """Return the rows of a snapshot's actions that belong to each environment."""
    length = np.maximum(saved["length"], 0)
    ends = np.cumsum(length)
    return [slice(int(end - n), int(end)) for end, n in zip(ends, length, strict=True)]
