"""Acting in blocks whose size does not depend on who acts: the number of workers then changes no bit. Needs no JAX.

What a matrix product gives for a row may differ in its last bit with the number of rows beside it. So every actor
evaluates the same rows in the same places of arrays of the same size, filled up where they are somebody else's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from logpi import nested

Act = Callable[[Any, list[np.ndarray]], tuple[Any, Any]]
LEAST, MOST = 16, 8  # environments to a block, and blocks: more would cost the single process more than it spares


def block_size(num_envs: int) -> int:
    """How many environments are acted for in one call: all up to 31, later an even share of at least 16."""
    return -(-num_envs // max(1, min(MOST, num_envs // LEAST)))


def examples(tree: Any, size: int) -> Any:
    """Arrays of `size` rows like the first of those given, repeated where there are fewer."""
    return nested.map(lambda x: np.resize(x, (size, *x.shape[1:])), tree)


class Blocks:
    """The blocks that hold environments `first` … `first + count − 1`; calls an actor on each of them."""

    def __init__(self, first: int, count: int, size: int):
        """`size` environments to a block."""
        self._parts: list[tuple[slice, slice]] = []  # rows of mine, and their places in a block
        for start in range(first - first % size, first + count, size):
            low, high = max(first, start), min(first + count, start + size)
            self._parts.append((slice(low - first, high - first), slice(low - start, high - start)))
        self._size, self._count = size, count
        self._filled: list[list[np.ndarray]] = []

    def __call__(self, act: Act, obs: Any, draws: list[np.ndarray]) -> tuple[Any, Any]:
        """(actions[n], what the environments are handed) for obs[n] and noise[n, ...]."""
        if self._count == self._size and len(self._parts) == 1:
            return act(obs, draws)
        answers = [self._one(act, part, obs, draws) for part in self._parts]
        return answers[0] if len(answers) == 1 else nested.map(lambda *x: np.concatenate(x), *answers)

    def _one(self, act: Act, part: tuple[slice, slice], obs: Any, draws: list[np.ndarray]) -> tuple[Any, Any]:
        mine, place = part
        if place.stop - place.start == self._size:
            return act(nested.map(lambda x: x[mine], obs), [x[mine] for x in draws])
        seen = nested.map(lambda x: self._fill(x[mine], place), obs)
        return nested.map(lambda x: x[place], act(seen, [self._fill(x[mine], place) for x in draws]))

    def _fill(self, rows: np.ndarray, place: slice) -> np.ndarray:
        """The rows in their place; what stands elsewhere is one of them, so that nothing strange is computed."""
        whole = np.empty((self._size, *rows.shape[1:]), rows.dtype)
        whole[:] = rows[0]
        whole[place] = rows
        return whole
