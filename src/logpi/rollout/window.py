"""A window of steps in `SteppableCopies`, with as little Python per step as possible. Needs no JAX.

Work that can be done once per window is not done per step: each observation is written once, as the successor of its
step; flags and times are filled in for the whole window from the list of episode ends.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.environments.protocol import SteppableCopies
from logpi.numpy_policy.blocks import Act, Blocks

End = tuple[int, int, bool, bool]  # row, environment, terminated, and whether the step was one


def collect_window(
    environment: SteppableCopies,
    blocks: Blocks,
    act: Act,
    draws: list[np.ndarray],
    obs: Any,
    time: np.ndarray,
    rows: Any,
    beat: np.ndarray,
) -> tuple[Any, np.ndarray]:
    """Fill `rows` [T, n, ...] from where the environments stand; (where they stand then, steps into their episodes).

    - `act`: how the policy acts for a block; `draws` [T, n, ...] is its noise.
    - `rows`: the arrays of a window of both ends of every step, those of these environments alone.
    """
    window, noise = _window(blocks, obs, rows["next_obs"]), [blocks.spread(x, axis=1) for x in draws]
    everyone, mine, acts, watched = range(len(time)), blocks.mine, blocks.across(act), beat.data
    own = tree_map(lambda x: x[:, mine], window)
    part = (lambda x: x[mine]) if isinstance(rows["sent"], np.ndarray) else lambda x: tree_map(lambda y: y[mine], x)
    now, seen, answers = obs, tree_map(blocks.spread, obs), []
    starts: list[tuple[int, Any]] = []
    ends: list[End] = []
    moments = zip(zip(*noise, strict=True), _rows(own), _rows(window), rows["reward"], strict=True)
    for t, (drawn, now, following, reward) in enumerate(moments):
        answer = acts(seen, drawn)
        answers.append(answer)
        ended = environment.advance(part(answer[1]), now, reward, everyone)
        if ended:
            now = tree_map(np.copy, now)
            environment.begin([i for i, *_ in ended], now)
            following = tree_map(blocks.spread, now)
            starts.append((t + 1, now))
            ends += [(t, *end) for end in ended]
        seen = following
        watched[0] += 1
    _write(rows, own, answers, mine)
    _place(rows, obs, starts)
    return tree_map(np.copy, now), _flag(rows, time, ends)


def _rows(tree: Any) -> Iterable[Any]:
    """Its arrays' rows, one after the other."""
    if isinstance(tree, np.ndarray):
        return tree
    return (tree_map(lambda x, t=t: x[t], tree) for t in range(len(tree_leaves(tree)[0])))


def _window(blocks: Blocks, obs: Any, rows: Any) -> Any:
    """Where to write what follows each step, in the places of blocks: the rows themselves, where they have them all."""
    room = lambda x, first: x if x.shape[1] == blocks.width else np.repeat(blocks.spread(first)[None], len(x), axis=0)
    return tree_map(room, rows, obs)


def _write(rows: Any, following: Any, answers: list[tuple[Any, Any]], mine: slice) -> None:
    """What was answered, and what followed, where it was not written there at once."""
    for to, x in zip(tree_leaves(rows["next_obs"]), tree_leaves(following), strict=True):
        if not np.shares_memory(to, x):
            to[...] = x
    outs = rows["action"], rows["sent"]
    plain = all(isinstance(x, np.ndarray) for x in outs)
    flat = answers if plain else [tree_leaves(answer) for answer in answers]
    for to, each in zip(tree_leaves(outs), zip(*flat, strict=True), strict=True):
        to[...] = np.concatenate(each).reshape(len(each), *each[0].shape)[:, mine]


def _place(rows: Any, first: Any, starts: list[tuple[int, Any]]) -> None:
    """What was acted on: what followed the step before, or an episode's first observation."""
    for seen, following, x in zip(*map(tree_leaves, (rows["obs"], rows["next_obs"], first)), strict=True):
        seen[0], seen[1:] = x, following[:-1]
    for t, obs in starts:
        if t < len(rows["reward"]):
            for seen, x in zip(tree_leaves(rows["obs"]), tree_leaves(obs), strict=True):
                seen[t] = x


def _flag(rows: Any, time: np.ndarray, ends: list[End]) -> np.ndarray:
    """Flags and times of the window; steps into their episodes that the environments have then taken."""
    length = len(rows["reward"])
    rows["terminated"][:], rows["truncated"][:], rows["valid"][:] = False, False, True
    rows["time"][:] = time + np.arange(length, dtype=time.dtype)[:, None]
    after = time + length
    for t, i, terminated, sound in ends:
        rows["terminated"][t, i], rows["truncated"][t, i], rows["valid"][t, i] = terminated, not terminated, sound
        rows["time"][t + 1 :, i] = np.arange(length - t - 1)
        after[i] = length - t - 1
        if not sound and t:  # what failed was last seen in the row before: its episode is cut there
            rows["truncated"][t - 1, i] |= not rows["terminated"][t - 1, i]
    return after
