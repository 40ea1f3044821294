"""Where a host rollout keeps observations: both ends of every step, pictures once, or not at all."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from logpi import nested
from logpi.collect import Collect, Steps
from logpi.environments.protocol import Step


class Both:
    """`obs` and `next_obs` of every row: [T, N, ...] each."""

    def __init__(self, obs: Any, rows: int, columns: int):
        """Make the buffers for observations like `obs[N]`."""
        self.fields = {name: _empty(obs, rows, columns) for name in ("obs", "next_obs")}
        self._buffers = list(zip(*map(nested.leaves, self.fields.values()), strict=True))

    def write(self, place: tuple[Any, Any], some: Any, obs: Any, step: Step) -> None:
        """Keep the rows of `some` environments at (row, column)."""
        for (now, later), x, y in zip(self._buffers, nested.leaves(obs), nested.leaves(step.next_obs), strict=True):
            now[place] = x[some]
            later[place] = y[some]


class Once:
    """`obs` alone, one row more: [T + 1, N, ...]. What follows row t is row t + 1, as it is in whole episodes."""

    def __init__(self, obs: Any, rows: int, columns: int):
        """Make the buffers for observations like `obs[N]`."""
        self.fields = {"obs": _empty(obs, rows + 1, columns)}
        self._buffers = nested.leaves(self.fields["obs"])

    def write(self, place: tuple[Any, Any], some: Any, obs: Any, step: Step) -> None:
        """Keep the rows of `some` environments at (row, column), and what follows them in the row below."""
        row, column = place
        for buffer, x, y in zip(self._buffers, nested.leaves(obs), nested.leaves(step.next_obs), strict=True):
            buffer[row, column] = x[some]
            buffer[row + 1, column] = y[some]


class OnceAndEnds:
    """`obs` once, and beside it the true last observations of episodes that end within the window.

    There is room for an end every 32 steps; where there are more, it is doubled, which compiles the learner anew.
    """

    def __init__(self, obs: Any, rows: int, columns: int):
        """Make the buffers for observations like `obs[N]`."""
        self._once = Once(obs, rows, columns)
        final = nested.map(lambda x: _zeros(x, max(columns, rows * columns // 32)), obs)
        self.fields = self._once.fields | {"final": final, "place": np.full((rows, columns), -1, np.int32)}
        self._count = 0

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
            self._make_room()
            for final, x in zip(nested.leaves(self.fields["final"]), nested.leaves(step.next_obs), strict=True):
                final[kept] = x[ends]
            self.fields["place"][row, ends] = range(kept.start, kept.stop)

    def _make_room(self) -> None:
        while self._count > len(nested.leaves(self.fields["final"])[0]):
            self.fields["final"] = nested.map(lambda x: np.concatenate([x, np.zeros_like(x)]), self.fields["final"])


class Checked:
    """No observation at all, only the sum of what follows each step: enough to see whether all was finite."""

    def __init__(self, obs: Any, rows: int, columns: int):
        """Make the buffer for observations like `obs[N]`."""
        del obs
        self.fields = {"next_obs": np.zeros((rows, columns), np.float32)}

    def write(self, place: tuple[Any, Any], some: Any, obs: Any, step: Step) -> None:
        """Keep the sums of `some` environments' numbers."""
        for x in nested.leaves(step.next_obs):
            if np.issubdtype(x.dtype, np.floating):
                self.fields["next_obs"][place] = x.reshape(len(x), -1).sum(axis=1)[some]


Store = Callable[[Any, int, int], Any]


def store(obs: Any, collect: Collect) -> Store:
    """What keeps such observations: those with pictures (uint8) once, others at both ends of a step."""
    if all(x.dtype != np.uint8 for x in nested.leaves(obs)):
        return Both
    return OnceAndEnds if isinstance(collect, Steps) else Once


def with_successors(fields: dict[str, Any], where: Callable[..., Any] = jnp.where) -> dict[str, Any]:
    """The fields with `obs` and `next_obs` [T, N, ...], whichever way they were kept; in JAX unless `where` is NumPy's.

    On the device `next_obs` of what was kept once is part of the program that reads it: nothing is sent twice.
    """
    if "next_obs" in fields or "obs" not in fields:
        return fields
    rest = {name: x for name, x in fields.items() if name not in ("obs", "final", "place")}
    following = jax.tree.map(lambda x: x[1:], fields["obs"])
    if "final" in fields:
        place = fields["place"]
        spread = lambda x: (place >= 0).reshape(*place.shape, *[1] * (x.ndim - 2))
        following = jax.tree.map(lambda x, end: where(spread(x), end[place], x), following, fields["final"])
    return rest | {"obs": jax.tree.map(lambda x: x[:-1], fields["obs"]), "next_obs": following}


def _zeros(like: Any, *shape: int) -> np.ndarray:
    return np.zeros((*shape, *like.shape[1:]), like.dtype)


def _empty(obs: Any, rows: int, columns: int) -> Any:
    return nested.map(lambda x: _zeros(x, rows, columns), obs)
