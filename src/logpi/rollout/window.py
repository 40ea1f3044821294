"""Collection of a window of steps in `SteppableCopies`, with as little Python per step as possible. Needs no JAX.

Work that can be done once per window is not done per step: each observation is written once, as the successor of its
step; flags and times are filled in for all rows from the list of episode ends.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.environments.protocol import SteppableCopies
from logpi.numpy_policy.blocks import Blocks
from logpi.numpy_policy.program import Act
from logpi.rollout.backends import Rows
from logpi.rollout.memory import ActorMemory

End = tuple[int, int, bool, bool]  # row, environment, terminated, valid


def collect_window(
    environment: SteppableCopies,
    blocks: Blocks,
    act: Act,
    draws: list[np.ndarray],
    obs: HostTree,
    time: np.ndarray,
    rows: Rows,
    heartbeat: np.ndarray,
    memory: ActorMemory,
) -> tuple[HostTree, np.ndarray]:
    """Fill `rows` [T, n, ...] from the current observations on; returns (next observations, times of the next steps).

    - `act`: the policy's action function for one block; `draws` [T, n, ...] is its noise.
    - `obs`, `time`: current observations [n, ...], and the number of steps already taken in each episode, int [n].
    - `rows`: the fields of a window, stored as by `StorePairs`: the columns of these environments alone.
    - `heartbeat`: int64 [1], incremented per step.
    - `memory`: of the policy, reset where an episode begins.
    """
    window, noise = _next_obs_window(blocks, obs, rows["next_obs"]), [blocks.spread(x, axis=1) for x in draws]
    copies, positions, act_all, beats = range(len(time)), blocks.positions, blocks.across(act), heartbeat.data
    own = tree_map(lambda x: x[:, positions], window)
    if isinstance(rows["env_action"], np.ndarray):
        own_actions = lambda x: x[positions]
    else:
        own_actions = lambda x: tree_map(lambda y: y[positions], x)
    next_obs, spread_obs, answers = obs, tree_map(blocks.spread, obs), []
    starts: list[tuple[int, Any]] = []
    ends: list[End] = []
    steps = zip(zip(*noise, strict=True), _iterate_rows(own), _iterate_rows(window), rows["reward"], strict=True)
    for t, (draw, next_obs, spread_next, reward) in enumerate(steps):
        answer = act_all(memory.beside(spread_obs), draw)
        memory.update(answer)
        answers.append(answer[:2])
        ended = environment.advance(own_actions(answer[1]), next_obs, reward, copies)
        if ended:
            next_obs = tree_map(np.copy, next_obs)  # the true final observations stay in the window
            environment.begin([i for i, *_ in ended], next_obs)
            spread_next = tree_map(blocks.spread, next_obs)
            memory.reset([i for i, *_ in ended])
            starts.append((t + 1, next_obs))
            ends += [(t, *end) for end in ended]
        spread_obs = spread_next
        beats[0] += 1
    _write_answers(rows, own, answers, positions)
    _write_obs(rows, obs, starts)
    return tree_map(np.copy, next_obs), _write_flags(rows, time, ends)


def _iterate_rows(tree: HostTree) -> Iterable[HostTree]:
    """Iterate over the leading axis of the arrays of a tree."""
    if isinstance(tree, np.ndarray):
        return tree
    return (tree_map(lambda x, t=t: x[t], tree) for t in range(len(tree_leaves(tree)[0])))


def _next_obs_window(blocks: Blocks, obs: HostTree, rows: HostTree) -> HostTree:
    """Return arrays [T, width, ...] for the successor observations: `rows` themselves where they have that width."""
    array = lambda x, first: x if x.shape[1] == blocks.width else np.repeat(blocks.spread(first)[None], len(x), axis=0)
    return tree_map(array, rows, obs)


def _write_answers(rows: Rows, next_obs: HostTree, answers: list[tuple[HostTree, HostTree]], positions: slice) -> None:
    """Write both kinds of actions; and the successor observations, unless they were written in place."""
    for buffer, x in zip(tree_leaves(rows["next_obs"]), tree_leaves(next_obs), strict=True):
        if not np.shares_memory(buffer, x):
            buffer[...] = x
    actions = rows["action"], rows["env_action"]
    plain = all(isinstance(x, np.ndarray) for x in actions)
    flat = answers if plain else [tree_leaves(answer) for answer in answers]
    for buffer, leaves in zip(tree_leaves(actions), zip(*flat, strict=True), strict=True):
        buffer[...] = np.concatenate(leaves).reshape(len(leaves), *leaves[0].shape)[:, positions]


def _write_obs(rows: Rows, first: HostTree, starts: list[tuple[int, HostTree]]) -> None:
    """Write the observations acted on: the successor in the row before, or an episode's first observation."""
    for obs, next_obs, x in zip(*map(tree_leaves, (rows["obs"], rows["next_obs"], first)), strict=True):
        obs[0], obs[1:] = x, next_obs[:-1]
    for t, start in starts:
        if t < len(rows["reward"]):
            for obs, x in zip(tree_leaves(rows["obs"]), tree_leaves(start), strict=True):
                obs[t] = x


def _write_flags(rows: Rows, time: np.ndarray, ends: list[End]) -> np.ndarray:
    """Write flags and times of all rows; returns the times of the steps after the window."""
    length = len(rows["reward"])
    rows["terminated"][:], rows["truncated"][:], rows["valid"][:] = False, False, True
    rows["time"][:] = time + np.arange(length, dtype=time.dtype)[:, None]
    next_time = time + length
    for t, i, terminated, valid in ends:
        rows["terminated"][t, i], rows["truncated"][t, i], rows["valid"][t, i] = terminated, not terminated, valid
        rows["time"][t + 1 :, i] = np.arange(length - t - 1)
        next_time[i] = length - t - 1
        if not valid and t:  # the copy failed in this row: its episode is truncated after the row before
            rows["truncated"][t - 1, i] |= not rows["terminated"][t - 1, i]
    return next_time
