"""Rollouts of environments that are ordinary Python, written into buffers that are allocated once."""

import itertools
import socket
from collections.abc import Callable
from typing import Any

import cloudpickle
import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree
from threadpoolctl import ThreadpoolController

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import HostTree, tree_leaves
from logpi.environments.protocol import HostEnvironment, Restartable, SteppableCopies
from logpi.errors import LogpiError, reason_of
from logpi.numpy_policy.blocks import resize_rows
from logpi.numpy_policy.program import Program
from logpi.policies.behavior import Behavior
from logpi.rollout.actor import behavior_arrays, learned_mask, make_actor, observed
from logpi.rollout.backends import RolloutBackend
from logpi.rollout.buffers import allocate_buffers, observation_fields
from logpi.rollout.collector import Collector, Shard
from logpi.rollout.episode_replay import LONGEST_ENDLESS, ActionLog, EpisodeSnapshot, snapshot
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.observations import Store, StorePairs, StoreSequenceAndFinals, choose_store, has_extremes
from logpi.rollout.workers.pool import WorkerPool
from logpi.spaces.elements import index_ranges
from logpi.spaces.tree import buffer_dtype, leaf_spaces


class HostRollout:
    """Collects from a host environment into preallocated buffers, which the next rollout overwrites.

    A `RolloutBackend` does the collecting: a `Collector` in this process, or a `WorkerPool` after `use_workers`.
    Returned arrays are the fields of a `Trajectory` except log μ(a|s): actors only act, and the learner evaluates all
    log-probabilities in one batch. Images are stored once: `with_next_obs` turns them into `obs` and `next_obs`.
    """

    def __init__(
        self,
        environment: HostEnvironment,
        collect: Collect,
        mu: Behavior,
        obs: HostTree,
        noise: PyTree,
        store: type[Store] | None = None,
    ):
        """Allocate buffers and lower the policy to NumPy.

        - `obs`: current observations of the environment, [N, ...].
        - `mu`, `noise`: examples of those to come.
        - `store`: how observations are written; by default chosen from their dtypes.
        """
        self._environment, self._collect = environment, collect
        self._ranges = index_ranges(environment.spec.observation_space)
        self._can_replay = isinstance(collect, Steps) and isinstance(environment, Restartable)
        draws = [np.asarray(x) for x in jax.tree.leaves(noise)]
        first = 0 if isinstance(collect, Steps) else (0, 0)
        self._actor = actor = make_actor(mu, obs, jax.tree.map(lambda x: x[first], noise))
        draw = [np.resize(x[first], (actor.block, *x[first].shape[1:])) for x in draws]
        example = actor.bind(behavior_arrays(mu))(resize_rows(observed(mu, obs), actor.block), draw)
        self._store, self._draws = store or choose_store(obs, collect), draws
        self._weights = [np.asarray(x) for x in behavior_arrays(mu)] if actor.program else []
        self._learned = learned_mask(mu)
        n = environment.spec.num_envs
        self._initial_memory = eqx.filter_jit(lambda mu: tuple(jax.tree.leaves(mu.initial(n))))
        memory = tuple(map(np.asarray, self._initial_memory(mu)))
        self._allocate = lambda store: allocate_buffers(collect, draws, store, obs, example, memory)
        threads = ThreadpoolController()
        collector = Collector(
            environment,
            collect,
            Shard(0, n, n, actor.block),
            actor.bind,
            self._store,
            [self._allocate(self._store)],
            # Small products take less time than threads take to start.
            limit_threads=lambda: threads.limit(limits=1, user_api="blas"),
        )
        collector.obs = obs
        self._collector: RolloutBackend = collector
        self._backend = self._collector
        self._env_action, self._which = self._backend.rows(0)["env_action"], 0
        self._longest_logged = LONGEST_ENDLESS if environment.spec.time_limit is None else None
        self._action_log = ActionLog(self._env_action, longest=self._longest_logged)

    def use_workers(self, pool: WorkerPool, sets: int = 1) -> None:
        """Collect with a worker pool from now on.

        `sets=2` double-buffers, so that the learner can read one set while workers fill the other.
        """
        assert self.program is not None
        # Shared memory does not grow, and `StoreSequenceAndFinals` may have to.
        store = StorePairs if self._store is StoreSequenceAndFinals else self._store
        each = lambda: {"rows": self._allocate(store), "draws": self._draws, "weights": self._weights}
        pool.setup(self.program, self._actor.block, self._collect, store, [each() for _ in range(sets)])
        self._backend = pool
        self._env_action = pool.rows(0)["env_action"]

    def use_no_workers(self) -> None:
        """Collect in this process from now on, as before `use_workers`."""
        self._backend = self._collector
        self._env_action = self._backend.rows(0)["env_action"]

    @property
    def why_not_parallel(self) -> str | None:
        """The reason why rollouts cannot be left to worker processes; None if they can."""
        environment = self._environment
        if not hasattr(socket, "send_fds"):
            return "this system hands no memory from process to process"
        shareable = isinstance(environment, SteppableCopies)
        make = environment.shard(0, environment.spec.num_envs) if shareable else None
        if make is None:
            return "workers make environments of their own, from a Gymnasium id or a factory of single environments"
        if self.program is None:
            return "the policy acts by a jitted call, and workers act by NumPy alone"
        try:
            cloudpickle.dumps(make)
        except Exception as error:
            return f"its factory cannot be sent to another process ({reason_of(error)})"
        return None

    @property
    def program(self) -> Program | None:
        """The policy as lines of NumPy; None if it acts by a jitted call."""
        return self._actor.program

    @property
    def size(self) -> int:
        """Maximum number of rows of a rollout."""
        return self._backend.rows(0)["reward"].size

    def begin(self, seed: int) -> None:
        """Begin new episodes in all environments."""
        self._backend.begin(seed)

    def snapshot(self) -> Callable[[], EpisodeSnapshot]:
        """Record the unfinished episodes; the function returned assembles the arrays that `resume` takes.

        Assembling costs time and is needed only if a checkpoint is written; later rollouts do not change its result.
        """
        if not self._can_replay:
            return dict
        episode, obs, logged = self._backend.episode.copy(), self._backend.obs, self._action_log.logged()
        return lambda: snapshot(episode, obs, logged)

    def resume(self, saved: EpisodeSnapshot, seed: int, new_seed: int) -> np.ndarray:
        """Replay the unfinished episodes of a snapshot; returns bool [N], True where a new episode began instead.

        - `seed`: the seed from which these episodes began.
        - `new_seed`: for environments that cannot begin a given episode; all of theirs are new.
        """
        if not isinstance(self._collect, Steps):
            return np.zeros(self._environment.spec.num_envs, bool)  # whole episodes: each iteration begins afresh
        if not saved:
            self._backend.begin(new_seed)
            return np.ones(self._environment.spec.num_envs, bool)
        not_restored = self._backend.resume(saved, seed)
        self._action_log = ActionLog(self._env_action, saved, not_restored, self._longest_logged)
        return not_restored

    @property
    def buffers(self) -> dict[str, Any]:
        """The arrays of the last rollout, not copied."""
        unused = "env_action", "initial_memory"
        return {name: x for name, x in self._backend.rows(self._which).items() if name not in unused}

    @property
    def final_capacity(self) -> int:
        """Number of final observations that the buffers have room for; 0 if they are not stored apart."""
        final = tree_leaves(self.buffers.get("final", []))
        return len(final[0]) if final else 0

    def collect(self, mu: Behavior, noise: PyTree, seed: int, memory: PyTree = ()) -> dict[str, Any]:
        """Collect one rollout under μ, with the noise of all its steps; whole episodes begin from `seed`.

        - `memory`: as in `start`; what μ remembers afterwards is the field `memory`, a tuple of leaves [N, ...].
        """
        self.start(mu, noise, seed, memory=memory)
        return self.finish()

    def start(self, mu: Behavior, noise: PyTree, seed: int, which: int = 0, memory: PyTree = ()) -> None:
        """Start a rollout into buffer set `which`; workers fill it in the background, a collector before it returns.

        - `memory`: what μ remembers of the unfinished episodes, [N, ...]; () for whole episodes and a memoryless μ.
        """
        weights, self._which = behavior_arrays(mu), which
        self._refuse_non_finite_parameters(weights)
        if mu.is_recurrent:
            rows, first = self._backend.rows(which), self._initial_memory(mu)
            start = jax.tree.leaves(memory) or first
            for buffer, h in zip((*rows["memory"], *rows["initial_memory"]), (*start, *first), strict=True):
                buffer[...] = np.asarray(h)
        self._backend.start(weights, jax.tree.leaves(noise), seed, which)

    def done(self) -> bool:
        """Tell whether `finish` would return without waiting."""
        return self._backend.done()

    def finish(self) -> dict[str, Any]:
        """Wait for the rollout that was started and return its fields."""
        self._backend.finish()
        rows = self._backend.rows(self._which)
        if self._can_replay:
            self._action_log.add(rows["env_action"], rows["terminated"] | rows["truncated"], rows["time"][0] == 0)
        self._refuse_non_finite()
        self._refuse_out_of_range()
        return self.buffers

    def _refuse_non_finite_parameters(self, weights: list[Any]) -> None:
        """Raise LogpiError for parameters that are not finite: with finitely many actions, NaN would still act."""
        theta = [np.asarray(x) for x in itertools.compress(weights, self._learned)]  # a quarter of `device_get`'s time
        if not all(np.isfinite(x).all() for x in theta):
            name = self._environment.spec.name
            raise LogpiError(f"the policy's parameters are not finite: no action of it is sent to {name}")

    def _refuse_non_finite(self) -> None:
        """Raise LogpiError that names environment, field, step and value of an answer that is not finite."""
        fields = self.buffers
        floating = lambda x: x if np.issubdtype(x.dtype, np.floating) else None
        numbers = {name: jax.tree.map(floating, fields[name]) for name in observation_fields(fields) if name != "place"}
        answers = with_next_obs(fields | numbers, np.where)
        answers = {name: answers[name] for name in ("reward", "obs", "next_obs") if name in answers}
        for path, x in jax.tree_util.tree_flatten_with_path(answers)[0]:
            if not np.isfinite(x).all() and (fault := self._first_fault(~np.isfinite(x))):
                which, time, place = fault
                field = path[0].key + jax.tree_util.keystr(path[1:])
                raise LogpiError(f"{which} answered a non-finite {field} at step {time} of an episode: {x[place]}")

    def _refuse_out_of_range(self) -> None:
        """Raise LogpiError for an index outside its Discrete, MultiDiscrete or MultiBinary space: it has no encoding.

        Only leaves of these spaces are read, once a rollout.
        """
        fields, ranges = self.buffers, [bounds for bounds in self._ranges if bounds is not None]
        if "lowest" in fields:
            self._refuse_extremes_out_of_range()
        if not ranges or "obs" not in fields:
            return
        indices = {
            name: [x for x, bounds in zip(tree_leaves(fields[name]), self._ranges, strict=True) if bounds is not None]
            for name in ("obs", "next_obs", "final")
            if name in fields
        }
        answers = with_next_obs(fields | indices, np.where)
        for name in ("next_obs", "obs"):
            for (path, low, high), x in zip(ranges, answers[name], strict=True):
                if fault := self._first_fault((x < low) | (x > high)):
                    which, time, place = fault
                    raise LogpiError(
                        f"{which} answered {name}{path} outside its observation space at step {time} of an episode:"
                        f" {x[place]}; allowed: {low} … {high}"
                    )

    def _refuse_extremes_out_of_range(self) -> None:
        """Raise LogpiError for an episode in which an index was out of range, where observations are not stored."""
        fields, spec = self.buffers, self._environment.spec
        leaves = leaf_spaces(spec.observation_space)
        whole = [
            bounds for (_, leaf), bounds in zip(leaves, self._ranges, strict=True) if has_extremes(buffer_dtype(leaf))
        ]
        for bounds, *extremes in zip(whole, fields["lowest"], fields["highest"], strict=True):
            if bounds is None:
                continue
            path, low, high = bounds
            for x in extremes:
                wrong = ((x < low) | (x > high)).reshape(len(x), -1) & fields["valid"].any(axis=0)[:, None]
                if wrong.any():
                    column, entry = (int(i) for i in np.argwhere(wrong)[0])
                    raise LogpiError(
                        f"environment {column % spec.num_envs} of {spec.name} answered obs{path} outside its"
                        f" observation space: {x.reshape(len(x), -1)[column, entry]}; allowed: {low} … {high}"
                    )

    def _first_fault(self, wrong: np.ndarray) -> tuple[str, int, tuple[int, int]] | None:
        """Find the first valid row with a wrong entry: (its environment, its step in the episode, its place), or None.

        - `wrong`: bool [T, columns, ...].
        """
        fields, spec = self.buffers, self._environment.spec
        rows = wrong.reshape(*wrong.shape[:2], -1).any(-1) & fields["valid"]
        if not rows.any():
            return None
        t, column = (int(i) for i in np.argwhere(rows)[0])
        return f"environment {column % spec.num_envs} of {spec.name}", int(fields["time"][t, column]), (t, column)
