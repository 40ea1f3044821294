"""Storage of a host rollout's observations: as pairs, as a sequence (images), or not at all. Needs no JAX."""

from typing import Any, TypeAlias

import numpy as np

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.environments.protocol import Step

RowIndex: TypeAlias = int | np.ndarray
ColumnIndex: TypeAlias = slice | np.ndarray
"""Columns of the buffers, or copies of the environment: all, a range, or those listed."""


class StorePairs:
    """`obs` and `next_obs` of every row: [T, N, ...] each."""

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `allocate`."""
        self.fields = fields
        self._buffers = list(zip(tree_leaves(fields["obs"]), tree_leaves(fields["next_obs"]), strict=True))

    @staticmethod
    def allocate(obs: HostTree, rows: int, columns: int) -> dict[str, Any]:
        """Allocate arrays for observations like `obs[N]`."""
        return {name: _empty(obs, rows, columns) for name in ("obs", "next_obs")}

    def write(self, index: tuple[RowIndex, ColumnIndex], copies: ColumnIndex, obs: HostTree, step: Step) -> None:
        """Write the observations of these copies at (row, column)."""
        for (current, following), x, y in zip(self._buffers, tree_leaves(obs), tree_leaves(step.next_obs), strict=True):
            current[index] = x[copies]
            following[index] = y[copies]


class StoreSequence:
    """`obs` alone, [T + 1, N, ...]: the successor of row t is row t + 1, as it is in whole episodes."""

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `allocate`."""
        self.fields = fields
        self._buffers = tree_leaves(fields["obs"])

    @staticmethod
    def allocate(obs: HostTree, rows: int, columns: int) -> dict[str, Any]:
        """Allocate arrays for observations like `obs[N]`."""
        return {"obs": _empty(obs, rows + 1, columns)}

    def write(self, index: tuple[RowIndex, ColumnIndex], copies: ColumnIndex, obs: HostTree, step: Step) -> None:
        """Write the observations of these copies at (row, column), and their successors in the next row."""
        row, column = index
        for buffer, x, y in zip(self._buffers, tree_leaves(obs), tree_leaves(step.next_obs), strict=True):
            buffer[row, column] = x[copies]
            buffer[row + 1, column] = y[copies]


class StoreSequenceAndFinals:
    """`obs` as a sequence, and the true final observations of episodes that end within the window.

    `place` [T, N] holds the index of a row's final observation in `final`, −1 for a row that ends no episode. `final`
    has capacity for one end in 32 steps; if there are more it is doubled, and the learning program compiled again.
    """

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `allocate`."""
        self._sequence, self.fields, self._count = StoreSequence(fields), fields, 0

    @staticmethod
    def allocate(obs: HostTree, rows: int, columns: int) -> dict[str, Any]:
        """Allocate arrays for observations like `obs[N]`."""
        final = tree_map(lambda x: _zeros(x, max(columns, rows * columns // 32)), obs)
        return StoreSequence.allocate(obs, rows, columns) | {
            "final": final,
            "place": np.full((rows, columns), -1, np.int32),
        }

    def write(self, index: tuple[RowIndex, ColumnIndex], copies: ColumnIndex, obs: HostTree, step: Step) -> None:
        """Write a row, and final observations where an episode ends in it: the next row there begins another one."""
        row, _ = index
        self._sequence.write(index, copies, obs, step)
        self._count = 0 if row == 0 else self._count
        self.fields["place"][row] = -1
        ends = np.flatnonzero((step.terminated | step.truncated) & step.valid)
        if len(ends) and step.next_obs is not step.obs:
            places = slice(self._count, self._count + len(ends))
            self._count = places.stop
            self._grow()
            for final, x in zip(tree_leaves(self.fields["final"]), tree_leaves(step.next_obs), strict=True):
                final[places] = x[ends]
            self.fields["place"][row, ends] = range(places.start, places.stop)

    def _grow(self) -> None:
        while self._count > len(tree_leaves(self.fields["final"])[0]):
            self.fields["final"] = tree_map(lambda x: np.concatenate([x, np.zeros_like(x)]), self.fields["final"])


class StoreNothing:
    """No observation, but enough to find faulty ones.

    `next_obs` [T, N] holds the sum of each successor observation's floats, of which not one may be infinite or no
    number. `lowest` and `highest` [N, ...] hold the extremes that each entry of the observations acted on, where they
    are whole numbers, had in a column's episode: those of indices must be in their range.
    """

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `allocate`."""
        self.fields = fields
        self._extremes = list(zip(fields["lowest"], fields["highest"], strict=True))

    @staticmethod
    def allocate(obs: HostTree, rows: int, columns: int) -> dict[str, Any]:
        """Allocate the array of sums, and the extremes."""
        extremes = lambda: tuple(np.zeros((columns, *x.shape[1:]), x.dtype) for x in _whole_numbers(obs))
        sums = np.zeros((rows, columns), np.float32)
        return {"next_obs": sums, "lowest": extremes(), "highest": extremes()}

    def write(self, index: tuple[RowIndex, ColumnIndex], copies: ColumnIndex, obs: HostTree, step: Step) -> None:
        """Write the sums of these copies' entries."""
        for x in tree_leaves(step.next_obs):
            if np.issubdtype(x.dtype, np.floating):
                self.fields["next_obs"][index] = x.reshape(len(x), -1).sum(axis=1)[copies]
        row, column = index
        for x, (lowest, highest) in zip(_whole_numbers(obs), self._extremes, strict=True):
            x = x[copies]
            begins = np.reshape(np.asarray(row) == 0, (-1, *[1] * (x.ndim - 1)))
            lowest[column] = np.where(begins, x, np.minimum(lowest[column], x))
            highest[column] = np.where(begins, x, np.maximum(highest[column], x))


def has_extremes(dtype: np.dtype) -> bool:
    """Tell whether leaves of this dtype may be indices, whose extremes `StoreNothing` keeps; uint8 is for images."""
    return dtype.kind in "iub" and dtype != np.uint8


def _whole_numbers(obs: HostTree) -> list[np.ndarray]:
    return [x for x in tree_leaves(obs) if has_extremes(x.dtype)]


Store = StorePairs | StoreSequence | StoreSequenceAndFinals | StoreNothing


def choose_store(obs: HostTree, collect: Collect) -> type[Store]:
    """Choose the store: a sequence for observations with images (uint8), pairs for all others."""
    if all(x.dtype != np.uint8 for x in tree_leaves(obs)):
        return StorePairs
    return StoreSequenceAndFinals if isinstance(collect, Steps) else StoreSequence


def _zeros(like: np.ndarray, *shape: int) -> np.ndarray:
    return np.zeros((*shape, *like.shape[1:]), like.dtype)


def _empty(obs: HostTree, rows: int, columns: int) -> HostTree:
    return tree_map(lambda x: _zeros(x, rows, columns), obs)
