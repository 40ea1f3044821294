"""Who collects on the host: this process by itself, or the workers of a crew."""

from typing import Any, Protocol

import numpy as np
from threadpoolctl import ThreadpoolController

from logpi.core.collection import Collect
from logpi.environments.protocol import HostEnvironment
from logpi.numpy_policy.actor import Actor
from logpi.rollout.buffers import observation_fields
from logpi.rollout.collector import Collector, Shard
from logpi.rollout.episode_replay import EpisodeSnapshot
from logpi.rollout.observations import Store
from logpi.rollout.workers import shared_memory
from logpi.rollout.workers.messages import WorkerSetup
from logpi.rollout.workers.pool import WorkerPool

Rows = dict[str, Any]


class RolloutBackend(Protocol):
    """Collects rollouts, one at a time, into sets of arrays."""

    @property
    def obs(self) -> Any:
        """What the environments show."""
        ...

    def start(self, weights: list[Any], draws: list[np.ndarray], seed: int, which: int) -> None:
        """Begin a rollout with these weights into one of the sets."""
        ...

    def done(self) -> bool:
        """Whether it is done."""
        ...

    def finish(self) -> None:
        """Wait until it is done."""
        ...

    def rows(self, which: int) -> Rows:
        """One of the sets of arrays."""
        ...

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        ...

    def resume(self, kept: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Bring the environments back to where they stood: which of them began a new episode instead."""
        ...


class InProcess:
    """This process collects by itself: all that there is to do is done when a rollout is started."""

    def __init__(
        self, environment: HostEnvironment, collect: Collect, actor: Actor, store: type[Store], rows: Rows, obs: Any
    ):
        """`environment` stands at `obs`; rollouts are written into `rows`."""
        n = environment.spec.num_envs
        self._collector = Collector(environment, collect, Shard(0, n, n, actor.block))
        self._collector.obs = obs
        self._actor, self._store, self._rows = actor, store(observation_fields(rows)), rows
        self._threads = ThreadpoolController()

    @property
    def obs(self) -> Any:
        """What the environments show."""
        return self._collector.obs

    def start(self, weights: list[Any], draws: list[np.ndarray], seed: int, which: int) -> None:
        """A rollout with these weights."""
        del which
        with self._threads.limit(limits=1, user_api="blas"):  # small products take less time than threads to start
            self._collector.collect(self._actor.bind(weights), draws, seed, self._rows, self._store)

    def done(self) -> bool:
        """It is done already."""
        return True

    def finish(self) -> None:
        """It is done already."""

    def rows(self, which: int) -> Rows:
        """The one set there is; what ended within a window may have needed more room than there was at first."""
        del which
        return self._rows | self._store.fields

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self._collector.begin(seed)

    def resume(self, kept: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Bring the environments back to where they stood: which of them began a new episode instead."""
        return self._collector.resume(kept, seed)


class InWorkers:
    """The workers of a crew collect, into memory that they share with this process."""

    def __init__(self, crew: WorkerPool, collect: Collect, actor: Actor, store: type[Store], sets: list[Rows]):
        """Each of the sets has `rows` like those to write into, and `draws` and `weights` like those to come."""
        assert actor.program is not None
        places, size = shared_memory.layout({"sets": sets, "beats": np.zeros(crew.workers, np.int64)})
        descriptor = shared_memory.allocate(size)
        arrays = shared_memory.views(descriptor, places)
        self._crew, self._sets = crew, arrays["sets"]
        told = WorkerSetup(actor.program, actor.block, collect, store, places)
        crew.setup(told, descriptor, arrays["beats"])

    @property
    def obs(self) -> Any:
        """What the environments show."""
        return self._crew.obs

    def start(self, weights: list[Any], draws: list[np.ndarray], seed: int, which: int) -> None:
        """Have a rollout with these weights begun, and return at once."""
        mine = self._sets[which]
        for place, x in zip([*mine["draws"], *mine["weights"]], [*draws, *weights], strict=True):
            place[...] = np.asarray(x)
        self._crew.start(seed, which)

    def done(self) -> bool:
        """Whether all have answered."""
        return self._crew.done

    def finish(self) -> None:
        """Wait for it."""
        self._crew.finish()

    def rows(self, which: int) -> Rows:
        """One of the sets of shared arrays."""
        return self._sets[which]["rows"]

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self._crew.begin(seed)

    def resume(self, kept: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Bring the environments back to where they stood: which of them began a new episode instead."""
        return self._crew.resume(kept, seed)
