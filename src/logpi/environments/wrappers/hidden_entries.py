"""Environments without some entries of their observations, on the host. Needs no JAX."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from gymnasium import spaces

from logpi.core.numpy_trees import HostTree
from logpi.environments.protocol import (
    Environment,
    EpisodeEnd,
    HostEnvironment,
    Restartable,
    Spec,
    Step,
    SteppableCopies,
    is_jax_environment,
)
from logpi.errors import LogpiError


def hide_entries(environment: Environment | HostEnvironment, entries: tuple[int, ...]) -> Environment | HostEnvironment:
    """Leave entries out of the observations of N environments; what else these can do, they still can.

    - `entries`: indices of the entries to hide, from 0, each once.

    Raises LogpiError for an observation space that is no Box of one dimension, for an entry that it does not have, and
    where nothing would be left.
    """
    visible = visible_entries(environment.spec, entries)
    if is_jax_environment(environment):
        from logpi.environments.wrappers.hidden_entries_jax import JaxVisibleEntries

        return JaxVisibleEntries(environment, visible)
    if isinstance(environment, SteppableCopies):
        return SteppableVisibleEntries(environment, visible)
    if isinstance(environment, Restartable):
        return RestartableVisibleEntries(environment, visible)
    return VisibleEntries(environment, visible)


def visible_entries(spec: Spec, entries: tuple[int, ...]) -> tuple[int, ...]:
    """List the entries that are left. Raises LogpiError as `hide_entries` does."""
    space, hidden = spec.observation_space, ",".join(map(str, entries))
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise LogpiError(
            f"hide is {hidden}, and the observation space of {spec.name} is {space}; allowed: a Box of one dimension"
        )
    (size,) = space.shape
    if max(entries) >= size:
        raise LogpiError(
            f"hide is {hidden}, and an observation of {spec.name} has {size} entries; allowed: 0 … {size - 1}"
        )
    visible = tuple(i for i in range(size) if i not in entries)
    if not visible:
        raise LogpiError(f"hide is {hidden}, which are all entries of an observation of {spec.name}; allowed: fewer")
    return visible


def visible_spec(spec: Spec, visible: tuple[int, ...]) -> Spec:
    """Describe environments of which only these entries are seen."""
    space, index = spec.observation_space, list(visible)
    assert isinstance(space, spaces.Box)
    dtype = space.dtype.type if space.dtype is not None else np.float32
    return replace(spec, observation_space=spaces.Box(space.low[index], space.high[index], dtype=dtype))


class VisibleEntries:
    """Host environments of whose observations only some entries are seen.

    - `inner`: the environments, with observations [N, D].
    - `visible`: indices of the entries that are left, in order.
    """

    def __init__(self, inner: HostEnvironment, visible: tuple[int, ...]):
        """Wrap the environments."""
        self._inner, self._visible = inner, np.array(visible)
        self.spec = visible_spec(inner.spec, visible)

    def reset(self, seed: int, group: int = 1) -> HostTree:
        """Begin new episodes everywhere."""
        return self._seen(self._inner.reset(seed) if group == 1 else self._inner.reset(seed, group))

    def step(self, action: HostTree, idle: np.ndarray) -> Step:
        """Step all copies."""
        step = self._inner.step(action, idle)
        next_obs = self._seen(step.next_obs)
        return step._replace(obs=next_obs if step.obs is step.next_obs else self._seen(step.obs), next_obs=next_obs)

    def close(self) -> None:
        """Close the environments."""
        self._inner.close()

    def _seen(self, obs: HostTree) -> np.ndarray:
        """The visible entries of observations [N, D]."""
        return np.asarray(obs)[:, self._visible]


class RestartableVisibleEntries(VisibleEntries):
    """The same for environments that can begin a given episode."""

    def __init__(self, inner: Restartable, visible: tuple[int, ...]):
        """Wrap the environments."""
        super().__init__(inner, visible)
        self._restartable = inner

    @property
    def episode(self) -> np.ndarray:
        """Index of the episode that each environment is in."""
        return self._restartable.episode

    def restart(self, seed: int, episode: np.ndarray) -> HostTree:
        """Begin the given episode of each environment."""
        return self._seen(self._restartable.restart(seed, episode))


class SteppableVisibleEntries(RestartableVisibleEntries):
    """The same for environments whose copies are stepped one by one; they write into whole observations in between."""

    def __init__(self, inner: SteppableCopies, visible: tuple[int, ...]):
        """Wrap the environments."""
        super().__init__(inner, visible)
        self._copies = inner
        self._whole = np.asarray(inner.example())

    @property
    def restarts(self) -> int:
        """Number of times that a copy that raises may be replaced."""
        return self._copies.restarts

    @restarts.setter
    def restarts(self, number: int) -> None:
        self._copies.restarts = number

    @property
    def restarted(self) -> int:
        """Number of copies replaced so far."""
        return self._copies.restarted

    def example(self) -> HostTree:
        """Observations [N, ...] of the right shapes and dtypes, all zero."""
        return self._seen(self._copies.example())

    def advance(
        self, action: HostTree, next_obs: HostTree, reward: np.ndarray, copies: Iterable[int]
    ) -> list[EpisodeEnd]:
        """Step these copies and write the visible entries into row i of `next_obs`."""
        rows = list(copies)
        ends = self._copies.advance(action, self._whole, reward, rows)
        self._show(next_obs, rows)
        return ends

    def begin(self, copies: Iterable[int], obs: HostTree) -> None:
        """Begin the next episode of these copies and write the visible entries into row i of `obs`."""
        rows = list(copies)
        self._copies.begin(rows, self._whole)
        self._show(obs, rows)

    def shard(self, first: int, count: int) -> "Callable[[], SteppableVisibleEntries] | None":
        """A picklable factory for some of the copies; None where there can be none."""
        inner = self._copies.shard(first, count)
        return None if inner is None else functools.partial(_make_shard, inner, tuple(self._visible.tolist()))

    def _show(self, obs: HostTree, rows: list[int]) -> None:
        """Write the visible entries of these rows."""
        assert isinstance(obs, np.ndarray)
        if len(rows) == len(self._whole):  # all of them, as in every step of a window: take costs less than an index
            self._whole.take(self._visible, 1, obs, "clip")
        else:
            obs[rows] = self._whole[rows][:, self._visible]


def _make_shard(inner: Callable[[], SteppableCopies], visible: tuple[int, ...]) -> SteppableVisibleEntries:
    """Make some of the copies in another process."""
    return SteppableVisibleEntries(inner(), visible)
