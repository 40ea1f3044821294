"""Datasets in Minari's format, read as trajectories."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from jaxtyping import PyTree

from logpi.errors import LogpiError
from logpi.spaces.actions import from_native
from logpi.types import Trajectory


@runtime_checkable
class RecordedEpisode(Protocol):
    """One episode by Minari's names: observations [T + 1]; actions, rewards and both flags [T]."""

    observations: PyTree
    actions: PyTree
    rewards: np.ndarray
    terminations: np.ndarray
    truncations: np.ndarray


@runtime_checkable
class RecordedEpisodes(Protocol):
    """A dataset that iterates over its episodes, as `minari.MinariDataset` does."""

    def iterate_episodes(self) -> Iterable[RecordedEpisode]:
        """Iterate over the episodes."""
        ...


def read_minari(
    source: str | Path | RecordedEpisodes, action_space: spaces.Space | None = None, episodes: int | None = None
) -> Trajectory:
    """Read a dataset in Minari's format as whole episodes, one per column, padded at the end.

    log μ is not part of the format and is set to NaN: cloning does not use it, and methods that do yield NaN.

    - `source`: a `minari.MinariDataset`, anything with its `iterate_episodes`, or the path of a dataset's directory or
      HDF5 file (for which h5py is needed: the extra `minari`).
    - `action_space`: of the recorded actions, by default the dataset's `action_space`. Actions are converted to a
      policy's convention: integers from 0, vectors in which [−1, 1] spans the bounds, dicts and tuples of these.
    - `episodes`: number of episodes, counted from the first; by default all.

    Raises LogpiError for no episodes, or if the action space is unknown or unsupported.
    """
    space = getattr(source, "action_space", None) if action_space is None else action_space
    if space is None:
        raise LogpiError("the dataset does not say which space its actions are in: read_minari(…, action_space=…)")
    to_policy = from_native(space)
    found = list(itertools.islice(_episodes(source), episodes))
    if not found:
        raise LogpiError(f"no episodes in {source}; allowed: a dataset with at least one")
    columns = [_column(episode, to_policy) for episode in found]
    longest = max(len(column["reward"]) for column in columns)
    stacked = jax.tree.map(lambda *x: jnp.asarray(np.stack([_padded(y, longest) for y in x], axis=1)), *columns)
    return Trajectory(**stacked, complete=True)


def _episodes(source: str | Path | RecordedEpisodes) -> Iterator[RecordedEpisode]:
    """Yield episodes by Minari's names: observations [T + 1]; actions, rewards, terminations, truncations [T]."""
    if isinstance(source, RecordedEpisodes):
        yield from source.iterate_episodes()
        return
    path = Path(source)
    files = [path / "data" / "main_data.hdf5", path / "main_data.hdf5"] if path.is_dir() else [path]
    existing = [file for file in files if file.is_file()]
    if not existing:
        raise LogpiError(f"no dataset at {source}; allowed: an HDF5 file, or a directory with data/main_data.hdf5")
    try:
        import h5py
    except ImportError:
        raise LogpiError("HDF5 files need h5py: pip install 'logpi[minari]'") from None
    with h5py.File(existing[0]) as file:
        groups: dict[str, Any] = dict(file)
        for name in sorted(groups, key=lambda name: int(name.rpartition("_")[2])):
            episode: Any = SimpleNamespace(**{field: _arrays(groups[name][field]) for field in FIELDS})
            yield episode


FIELDS = ("observations", "actions", "rewards", "terminations", "truncations")


def _arrays(node: Any) -> PyTree:
    """Convert an HDF5 group to a dict, or to a tuple if its members are numbered, and a data set to an array."""
    if not hasattr(node, "keys"):
        if node.dtype.hasobject:
            raise LogpiError(
                f"{node.name} holds encoded images; read them through Minari: read_minari(load_dataset(…))"
            )
        return node[()]
    parts = {name: _arrays(node[name]) for name in node}
    if parts and all(name.startswith("_index_") for name in parts):
        return tuple(parts[f"_index_{i}"] for i in range(len(parts)))
    return parts


def _column(episode: RecordedEpisode, to_policy: Callable[[Any], Any]) -> dict[str, Any]:
    """Convert one episode to trajectory fields [T, …]; a last row without an end flag becomes truncated."""
    reward = np.asarray(episode.rewards, np.float32)
    steps, terminated = len(reward), np.asarray(episode.terminations, bool)
    ended = np.arange(steps) == steps - 1
    narrow = lambda x: jax.tree.map(_narrow, x)
    return {
        "obs": jax.tree.map(lambda x: x[:steps], narrow(episode.observations)),
        "action": to_policy(narrow(episode.actions)),
        "log_prob": np.full(steps, np.nan, np.float32),
        "reward": reward,
        "next_obs": jax.tree.map(lambda x: x[1 : steps + 1], narrow(episode.observations)),
        "time": np.arange(steps, dtype=np.int32),
        "terminated": terminated,
        "truncated": (np.asarray(episode.truncations, bool) | ended) & ~terminated,
        "valid": np.ones(steps, bool),
    }


def _narrow(x: object) -> np.ndarray:
    """Convert 64-bit numbers to 32 bits, and leave other dtypes unchanged."""
    x = np.asarray(x)
    kinds = {np.dtype(np.float64): np.float32, np.dtype(np.int64): np.int32}
    return x.astype(kinds.get(x.dtype, x.dtype))


def _padded(x: np.ndarray, length: int) -> np.ndarray:
    """Pad with zeros to `length` rows."""
    return np.pad(x, [(0, length - len(x))] + [(0, 0)] * (x.ndim - 1))
