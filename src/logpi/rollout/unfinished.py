"""Episodes under way on the host: kept as the actions they were sent, and brought back by sending them again."""

from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

Kept = dict[str, Any]


class Unfinished:
    """What each environment was sent since its episode began. Nothing is done per step: a rollout is added whole."""

    def __init__(self, sent: PyTree, kept: Kept | None = None, lost: np.ndarray | None = None):
        """Go on from what was kept, where it was not lost; `sent` are buffers [T, N, ...] like those to come."""
        nothing = jax.tree.map(lambda x: x[:0, 0].copy(), sent)
        n = jax.tree.leaves(sent)[0].shape[1]
        self._pieces: list[tuple[PyTree, ...]] = [(nothing,)] * n
        if kept is not None and lost is not None:
            ends = np.cumsum(kept["length"])
            for i in np.flatnonzero(~lost):
                rows = slice(ends[i] - kept["length"][i], ends[i])
                self._pieces[i] = (jax.tree.map(lambda x, rows=rows: x[rows], kept["action"]),)

    def add(self, sent: PyTree, ended: np.ndarray) -> None:
        """A rollout: what was sent, and the rows [T, N] after which a new episode began."""
        for i, before in enumerate(self._pieces):
            ends = np.flatnonzero(ended[:, i])
            first = ends[-1] + 1 if ends.size else 0
            piece = jax.tree.map(lambda x, i=i, first=first: x[first:, i].copy(), sent)
            self._pieces[i] = (piece,) if ends.size else (*before, piece)

    def pieces(self) -> list[tuple[PyTree, ...]]:
        """All of it, by environment; what is handed out does not change when more is added."""
        return list(self._pieces)


def snapshot(episode: np.ndarray, obs: PyTree, pieces: list[tuple[PyTree, ...]]) -> Kept:
    """Where each environment stands, as arrays: its episode, what it shows, and the actions that led there."""
    joined = [jax.tree.map(lambda *x: np.concatenate(x), *some) for some in pieces]
    length = np.asarray([len(jax.tree.leaves(some)[0]) for some in joined])
    return {
        "episode": episode,
        "obs": obs,
        "length": length,
        "action": jax.tree.map(lambda *x: np.concatenate(x), *joined),
    }


def replay(environment: Any, seed: int, kept: Kept) -> tuple[PyTree, np.ndarray]:
    """Bring every environment back to where it stood: (what they show now, which ones could not be brought back).

    One that does not show again what it had shown does not replay: it begins its next episode.
    """
    obs, lost = _sent_again(environment, seed, kept, kept["episode"], kept["length"])
    for now, before in zip(jax.tree.leaves(obs), jax.tree.leaves(kept["obs"]), strict=True):
        lost |= (now != before).reshape(len(now), -1).any(axis=1)
    if lost.any():
        obs, _ = _sent_again(environment, seed, kept, kept["episode"] + lost, np.where(lost, 0, kept["length"]))
    return obs, lost


def _sent_again(environment: Any, seed: int, kept: Kept, episode: Any, length: Any) -> tuple[PyTree, np.ndarray]:
    """Begin these episodes and take their first `length` steps: (what is shown, where an episode ended too soon)."""
    obs, ended = environment.restart(seed, episode), np.zeros(len(length), bool)
    first = np.cumsum(kept["length"]) - kept["length"]
    for t in range(int(length.max())):
        idle = t >= length
        row = np.where(idle, 0, first + t)
        step = environment.step(jax.tree.map(lambda x, row=row: x[row], kept["action"]), idle)
        ended |= ~idle & (step.terminated | step.truncated)
        keep = lambda old, new, idle=idle: np.where(idle.reshape(-1, *[1] * (new.ndim - 1)), old, new)
        obs = jax.tree.map(keep, obs, step.obs)
    return obs, ended
