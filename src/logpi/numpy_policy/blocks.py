"""Evaluation of a policy in blocks of fixed size, so that the number of workers changes no bit. Needs no JAX.

The last bits of a row of a matrix product may depend on the number of rows beside it. Every process therefore evaluates
the same rows at the same positions of arrays of the same size; positions of other processes' environments are padded.
"""

from collections.abc import Sequence

import numpy as np

from logpi.core.numpy_trees import HostTree, tree_map
from logpi.numpy_policy.program import Act

MIN_BLOCK = 16  # environments per block
MAX_BLOCKS = 8  # more blocks would cost a single process more than workers gain


def block_size(num_envs: int) -> int:
    """Compute the number of environments per block: all of them up to 31, beyond that an even share of at least 16."""
    return -(-num_envs // max(1, min(MAX_BLOCKS, num_envs // MIN_BLOCK)))


def resize_rows(tree: HostTree, size: int) -> HostTree:
    """Resize arrays to `size` rows: the first ones, repeated if there are fewer."""
    return tree_map(lambda x: np.resize(x, (size, *x.shape[1:])), tree)


class Blocks:
    """Blocks that hold environments `first` … `first + count − 1`; calling one evaluates a policy on each block.

    - `width`: number of positions in these blocks.
    - `positions`: slice of the positions that hold these environments.
    """

    def __init__(self, first: int, count: int, size: int):
        """Divide the environments into blocks of `size`."""
        start = first % size
        self.width, self.positions = -(-(start + count) // size) * size, slice(start, start + count)
        self._blocks = [slice(i, i + size) for i in range(0, self.width, size)]

    def __call__(self, act: Act, seen: HostTree, draws: Sequence[np.ndarray]) -> tuple[HostTree, ...]:
        """Return (action[n], env_action[n], …) for what is seen[n] and noise[n, ...]."""
        answer = self.across(act)(tree_map(self.spread, seen), [self.spread(x) for x in draws])
        return tree_map(lambda x: x[self.positions], answer)

    def across(self, act: Act) -> Act:
        """Return the function of all positions, seen[width] and noise[width, ...], from the function of one block."""

        def act_all(seen: HostTree, draws: Sequence[np.ndarray]) -> tuple[HostTree, ...]:
            parts = [
                act(tree_map(lambda x, rows=rows: x[rows], seen), [x[rows] for x in draws]) for rows in self._blocks
            ]
            return tree_map(lambda *x: np.concatenate(x), *parts)

        return act if len(self._blocks) == 1 else act_all

    def spread(self, x: np.ndarray, axis: int = 0) -> np.ndarray:
        """Put rows at their positions; others repeat the first row, so that no invalid value is computed with."""
        if x.shape[axis] == self.width:
            return x
        before = (slice(None),) * axis
        padded = np.repeat(x[(*before, slice(1))], self.width, axis)
        padded[(*before, self.positions)] = x
        return padded
