"""Episodes under way on the host, kept as the actions they were sent, brought back by sending them again; no JAX."""

from typing import Any

import numpy as np

from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.environments.protocol import Restartable

EpisodeSnapshot = dict[str, Any]


class ActionLog:
    """What each environment was sent since its episode began. Nothing is done per step: a rollout is added whole."""

    def __init__(self, sent: Any, kept: EpisodeSnapshot | None = None, lost: np.ndarray | None = None):
        """Go on from what was kept, where it was not lost; `sent` are buffers [T, N, ...] like those to come."""
        nothing = tree_map(lambda x: np.zeros((0, *x.shape[2:]), x.dtype), sent)
        n = tree_leaves(sent)[0].shape[1]
        self._pieces: list[tuple[Any, ...]] = [(nothing,)] * n
        if kept is not None and lost is not None:
            ends = np.cumsum(kept["length"])
            for i in np.flatnonzero(~lost):
                rows = slice(ends[i] - kept["length"][i], ends[i])
                self._pieces[i] = (tree_map(lambda x, rows=rows: x[rows], kept["action"]),)

    def add(self, sent: Any, ended: np.ndarray, begun: np.ndarray) -> None:
        """A rollout: what was sent, the rows [T, N] after which a new episode began, and where one began before."""
        for i, before in enumerate(self._pieces):
            ends = np.flatnonzero(ended[:, i])
            first = ends[-1] + 1 if ends.size else 0
            piece = tree_map(lambda x, i=i, first=first: x[first:, i].copy(), sent)
            self._pieces[i] = (piece,) if ends.size or begun[i] else (*before, piece)

    def segments(self) -> list[tuple[Any, ...]]:
        """All of it, by environment; what is handed out does not change when more is added."""
        return list(self._pieces)


def snapshot(episode: np.ndarray, obs: Any, pieces: list[tuple[Any, ...]]) -> EpisodeSnapshot:
    """Where each environment stands, as arrays: its episode, what it shows, and the actions that led there."""
    joined = [tree_map(lambda *x: np.concatenate(x), *some) for some in pieces]
    length = np.asarray([len(tree_leaves(some)[0]) for some in joined])
    return {
        "episode": episode,
        "obs": obs,
        "length": length,
        "action": tree_map(lambda *x: np.concatenate(x), *joined),
    }


def snapshot_shard(kept: EpisodeSnapshot, mine: slice) -> EpisodeSnapshot:
    """Return the part of a snapshot that belongs to a range of neighboring environments."""
    ends = np.cumsum(kept["length"])
    first = (ends - kept["length"])[mine]
    rows = slice(first[0], ends[mine][-1])
    own = {name: tree_map(lambda x: x[mine], kept[name]) for name in ("episode", "obs", "length")}
    return own | {"action": tree_map(lambda x: x[rows], kept["action"])}


def replay(environment: Restartable, seed: int, kept: EpisodeSnapshot) -> tuple[Any, np.ndarray]:
    """Bring every environment back to where it stood: (what they show now, which ones could not be brought back).

    One that does not show again what it had shown does not replay: it begins its next episode.
    """
    obs, lost = _replay_actions(environment, seed, kept, kept["episode"], kept["length"])
    for now, before in zip(tree_leaves(obs), tree_leaves(kept["obs"]), strict=True):
        lost |= (now != before).reshape(len(now), -1).any(axis=1)
    if lost.any():
        obs, _ = _replay_actions(environment, seed, kept, kept["episode"] + lost, np.where(lost, 0, kept["length"]))
    return obs, lost


def _replay_actions(
    environment: Restartable, seed: int, kept: EpisodeSnapshot, episode: Any, length: Any
) -> tuple[Any, np.ndarray]:
    """Begin these episodes and take their first `length` steps: (what is shown, where an episode ended too soon)."""
    obs, ended = environment.restart(seed, episode), np.zeros(len(length), bool)
    first = np.cumsum(kept["length"]) - kept["length"]
    for t in range(int(length.max())):
        idle = t >= length
        row = np.where(idle, 0, first + t)
        step = environment.step(tree_map(lambda x, row=row: x[row], kept["action"]), idle)
        ended |= ~idle & (step.terminated | step.truncated)
        keep = lambda old, new, idle=idle: np.where(idle.reshape(-1, *[1] * (new.ndim - 1)), old, new)
        obs = tree_map(keep, obs, step.obs)
    return obs, ended
