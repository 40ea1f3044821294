"""Acting in blocks whose size does not depend on who acts: the number of workers then changes no bit. Needs no JAX.

What a matrix product gives for a row may differ in its last bit with the number of rows beside it. So every actor
evaluates the same rows in the same places of arrays of the same size, filled up where they are somebody else's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from logpi.core.numpy_trees import tree_map

Act = Callable[[Any, Sequence[np.ndarray]], tuple[Any, Any]]
MIN_BLOCK, MAX_BLOCKS = (
    16,
    8,
)  # environments to a block, and blocks: more would cost the single process more than it spares


def block_size(num_envs: int) -> int:
    """How many environments are acted for in one call: all up to 31, later an even share of at least 16."""
    return -(-num_envs // max(1, min(MAX_BLOCKS, num_envs // MIN_BLOCK)))


def resize_rows(tree: Any, size: int) -> Any:
    """Arrays of `size` rows like the first of those given, repeated where there are fewer."""
    return tree_map(lambda x: np.resize(x, (size, *x.shape[1:])), tree)


class Blocks:
    """The blocks that hold environments `first` … `first + count − 1`; calls an actor on each of them.

    - `width`: places in these blocks.
    - `mine`: which of them are those environments'.
    """

    def __init__(self, first: int, count: int, size: int):
        """`size` environments to a block."""
        start = first % size
        self.width, self.mine = -(-(start + count) // size) * size, slice(start, start + count)
        self._cuts = [slice(i, i + size) for i in range(0, self.width, size)]

    def __call__(self, act: Act, obs: Any, draws: Sequence[np.ndarray]) -> tuple[Any, Any]:
        """(actions[n], what the environments are handed) for obs[n] and noise[n, ...]."""
        answer = self.across(act)(tree_map(self.spread, obs), [self.spread(x) for x in draws])
        return tree_map(lambda x: x[self.mine], answer)

    def across(self, act: Act) -> Act:
        """The same for all places, from the function for one block: of obs[width] and noise[width, ...]."""

        def everywhere(obs: Any, draws: Sequence[np.ndarray]) -> tuple[Any, Any]:
            parts = [act(tree_map(lambda x, cut=cut: x[cut], obs), [x[cut] for x in draws]) for cut in self._cuts]
            return tree_map(lambda *x: np.concatenate(x), *parts)

        return act if len(self._cuts) == 1 else everywhere

    def spread(self, x: np.ndarray, axis: int = 0) -> np.ndarray:
        """Rows in their places; what stands elsewhere is one of them, so that nothing strange is computed."""
        if x.shape[axis] == self.width:
            return x
        before = (slice(None),) * axis
        whole = np.repeat(x[(*before, slice(1))], self.width, axis)
        whole[(*before, self.mine)] = x
        return whole
