"""Where a host rollout keeps observations: both ends of every step, pictures once, or not at all. Needs no JAX."""

from typing import Any

import numpy as np

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.environments.protocol import Step


class StorePairs:
    """`obs` and `next_obs` of every row: [T, N, ...] each."""

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `room`."""
        self.fields = fields
        self._buffers = list(zip(tree_leaves(fields["obs"]), tree_leaves(fields["next_obs"]), strict=True))

    @staticmethod
    def allocate(obs: Any, rows: int, columns: int) -> dict[str, Any]:
        """Empty arrays for observations like `obs[N]`."""
        return {name: _empty(obs, rows, columns) for name in ("obs", "next_obs")}

    def write(self, place: tuple[Any, Any], some: Any, obs: Any, step: Step) -> None:
        """Keep the rows of `some` environments at (row, column)."""
        for (now, later), x, y in zip(self._buffers, tree_leaves(obs), tree_leaves(step.next_obs), strict=True):
            now[place] = x[some]
            later[place] = y[some]


class StoreSequence:
    """`obs` alone, one row more: [T + 1, N, ...]. What follows row t is row t + 1, as it is in whole episodes."""

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `room`."""
        self.fields = fields
        self._buffers = tree_leaves(fields["obs"])

    @staticmethod
    def allocate(obs: Any, rows: int, columns: int) -> dict[str, Any]:
        """Empty arrays for observations like `obs[N]`."""
        return {"obs": _empty(obs, rows + 1, columns)}

    def write(self, place: tuple[Any, Any], some: Any, obs: Any, step: Step) -> None:
        """Keep the rows of `some` environments at (row, column), and what follows them in the row below."""
        row, column = place
        for buffer, x, y in zip(self._buffers, tree_leaves(obs), tree_leaves(step.next_obs), strict=True):
            buffer[row, column] = x[some]
            buffer[row + 1, column] = y[some]


class StoreSequenceAndFinals:
    """`obs` once, and beside it the true last observations of episodes that end within the window.

    There is room for an end every 32 steps; where there are more, it is doubled, which compiles the learner anew.
    """

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `room`."""
        self._once, self.fields, self._count = StoreSequence(fields), fields, 0

    @staticmethod
    def allocate(obs: Any, rows: int, columns: int) -> dict[str, Any]:
        """Empty arrays for observations like `obs[N]`."""
        final = tree_map(lambda x: _zeros(x, max(columns, rows * columns // 32)), obs)
        return StoreSequence.allocate(obs, rows, columns) | {
            "final": final,
            "place": np.full((rows, columns), -1, np.int32),
        }

    def write(self, place: tuple[Any, Any], some: Any, obs: Any, step: Step) -> None:
        """Keep a row, and what it ends with where it does: the next row there begins another episode."""
        row, _ = place
        self._once.write(place, some, obs, step)
        self._count = 0 if row == 0 else self._count
        self.fields["place"][row] = -1
        ends = np.flatnonzero((step.terminated | step.truncated) & step.valid)
        if len(ends) and step.next_obs is not step.obs:
            kept = slice(self._count, self._count + len(ends))
            self._count = kept.stop
            self._grow()
            for final, x in zip(tree_leaves(self.fields["final"]), tree_leaves(step.next_obs), strict=True):
                final[kept] = x[ends]
            self.fields["place"][row, ends] = range(kept.start, kept.stop)

    def _grow(self) -> None:
        while self._count > len(tree_leaves(self.fields["final"])[0]):
            self.fields["final"] = tree_map(lambda x: np.concatenate([x, np.zeros_like(x)]), self.fields["final"])


class StoreNothing:
    """No observation at all, only the sum of what follows each step: enough to see whether all was finite."""

    def __init__(self, fields: dict[str, Any]):
        """Write into arrays like those of `room`."""
        self.fields = fields

    @staticmethod
    def allocate(obs: Any, rows: int, columns: int) -> dict[str, Any]:
        """An empty array for what observations sum to."""
        del obs
        return {"next_obs": np.zeros((rows, columns), np.float32)}

    def write(self, place: tuple[Any, Any], some: Any, obs: Any, step: Step) -> None:
        """Keep the sums of `some` environments' numbers."""
        for x in tree_leaves(step.next_obs):
            if np.issubdtype(x.dtype, np.floating):
                self.fields["next_obs"][place] = x.reshape(len(x), -1).sum(axis=1)[some]


Store = StorePairs | StoreSequence | StoreSequenceAndFinals | StoreNothing


def choose_store(obs: Any, collect: Collect) -> type[Store]:
    """What keeps such observations: those with pictures (uint8) once, others at both ends of a step."""
    if all(x.dtype != np.uint8 for x in tree_leaves(obs)):
        return StorePairs
    return StoreSequenceAndFinals if isinstance(collect, Steps) else StoreSequence


def _zeros(like: Any, *shape: int) -> np.ndarray:
    return np.zeros((*shape, *like.shape[1:]), like.dtype)


def _empty(obs: Any, rows: int, columns: int) -> Any:
    return tree_map(lambda x: _zeros(x, rows, columns), obs)
