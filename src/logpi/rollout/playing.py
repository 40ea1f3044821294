"""A window of steps in Gymnasium's own environments, with as little Python per step as it takes. Needs no JAX.

What can be said of a window at its end is not said in every step: observations are written once, where they follow;
flags and times are filled in for the whole window, from the few places where episodes ended.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from logpi import nested
from logpi.environments.gymnasium import Gymnasium

End = tuple[int, int, bool, bool]  # row, environment, terminated, and whether the step was one


def play(
    environment: Gymnasium, acts: Callable[[Any, int], Any], obs: Any, time: np.ndarray, rows: Any, beat: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Fill `rows` [T, n, ...] from where the environments stand; (where they stand then, steps into their episodes).

    - `acts`: (obs[n], t) ↦ (actions, what is sent).
    - `rows`: the arrays of a window of both ends of every step, those of these environments alone.
    """
    everyone, reward = range(len(time)), rows["reward"]
    outs = [*nested.leaves(rows["action"]), *nested.leaves(rows["sent"])]
    first, now = obs, obs
    starts: list[tuple[int, Any]] = []
    ends: list[End] = []
    for t in range(len(reward)):
        answer = acts(now, t)
        for buffer, x in zip(outs, nested.leaves(answer), strict=True):
            buffer[t] = x
        now = nested.map(lambda x, t=t: x[t], rows["next_obs"])
        ended = environment.advance(answer[1], now, reward[t], everyone)
        if ended:
            now = nested.map(np.copy, now)
            environment.begin([i for i, *_ in ended], now)
            starts.append((t + 1, now))
            ends += [(t, *end) for end in ended]
        beat[0] += 1
    _place(rows, first, starts)
    return nested.map(np.copy, now), _flag(rows, time, ends)


def _place(rows: Any, first: Any, starts: list[tuple[int, Any]]) -> None:
    """What was acted on: what followed the step before, or an episode's first observation."""
    for seen, following, x in zip(*map(nested.leaves, (rows["obs"], rows["next_obs"], first)), strict=True):
        seen[0], seen[1:] = x, following[:-1]
    for t, obs in starts:
        if t < len(rows["reward"]):
            for seen, x in zip(nested.leaves(rows["obs"]), nested.leaves(obs), strict=True):
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
