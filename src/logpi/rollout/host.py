"""Rollouts of environments that are ordinary Python, written into buffers that are made once."""

import itertools
import socket
from collections.abc import Callable
from typing import Any

import cloudpickle
import jax
import numpy as np

from logpi.core.collection import Collect, Steps
from logpi.core.numpy_trees import tree_leaves
from logpi.environments.protocol import HostEnvironment, Restartable, SteppableCopies
from logpi.errors import LogpiError
from logpi.numpy_policy.actor import behavior_arrays, learned_mask, make_actor
from logpi.numpy_policy.blocks import resize_rows
from logpi.numpy_policy.program import Program
from logpi.policies.behavior import Behavior
from logpi.rollout.backends import InProcess, InWorkers, RolloutBackend
from logpi.rollout.buffers import allocate_buffers, observation_fields
from logpi.rollout.episode_replay import ActionLog, EpisodeSnapshot, snapshot
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.observations import Store, StorePairs, StoreSequenceAndFinals, choose_store
from logpi.rollout.workers.pool import WorkerPool


class HostRollout:
    """Collects from a host environment into preallocated buffers, which the next rollout overwrites.

    The arrays it returns are the fields of a `Trajectory`, all but log μ(a|s): actors only act, and the learner
    scores all actions in one batch. Pictures are kept once: `with_next_obs` gives the fields as they are named.
    """

    def __init__(
        self,
        environment: HostEnvironment,
        collect: Collect,
        mu: Behavior,
        obs: Any,
        noise: Any,
        keep: type[Store] | None = None,
    ):
        """`obs[N]` are the observations the environment stands at; μ and noise are examples of those to come."""
        self._environment, self._collect = environment, collect
        self._restartable = isinstance(environment, Restartable)
        draws = [np.asarray(x) for x in jax.tree.leaves(noise)]
        first = 0 if isinstance(collect, Steps) else (0, 0)
        self._actor = acts = make_actor(mu, obs, jax.tree.map(lambda x: x[first], noise))
        draw = [np.resize(x[first], (acts.block, *x[first].shape[1:])) for x in draws]
        answer = acts.bind(behavior_arrays(mu))(resize_rows(obs, acts.block), draw)
        self._keep, self._draws = keep or choose_store(obs, collect), draws
        self._weights = [np.asarray(x) for x in behavior_arrays(mu)] if acts.program else []
        self._learned = learned_mask(mu)
        self._empty = lambda keep: allocate_buffers(collect, draws, keep, obs, answer)
        self._backend: RolloutBackend = InProcess(environment, collect, acts, self._keep, self._empty(self._keep), obs)
        self._env_action, self._which = self._backend.rows(0)["sent"], 0
        self._action_log = ActionLog(self._env_action)

    def use_workers(self, crew: WorkerPool, sets: int = 1) -> None:
        """Leave the rollouts to a crew; into several sets of buffers, so that one can be learned from meanwhile."""
        keep = StorePairs if self._keep is StoreSequenceAndFinals else self._keep  # shared memory does not grow
        each = lambda: {"rows": self._empty(keep), "draws": self._draws, "weights": self._weights}
        self._environment = crew
        self._backend = InWorkers(crew, self._collect, self._actor, keep, [each() for _ in range(sets)])
        self._env_action = self._backend.rows(0)["sent"]

    @property
    def why_not_parallel(self) -> str | None:
        """What stands against leaving the rollouts to a crew, if anything does."""
        one = self._environment
        if not hasattr(socket, "send_fds"):
            return "this system hands no memory from process to process"
        make = one.shard(0, one.spec.num_envs) if isinstance(one, SteppableCopies) else None
        if make is None:
            return "workers make environments of their own, from a Gymnasium id or a factory of single environments"
        if self.program is None:
            return "the policy acts by a jitted call, and workers act by NumPy alone"
        try:
            cloudpickle.dumps(make)
        except Exception as error:
            return f"its factory cannot be sent to another process ({' '.join(str(error).split())})"
        return None

    @property
    def program(self) -> Program | None:
        """How the policy acts, as lines of NumPy; None where it acts by a jitted call."""
        return self._actor.program

    @property
    def size(self) -> int:
        """The most rows that a rollout has."""
        return self._backend.rows(0)["reward"].size

    @property
    def _can_replay(self) -> bool:
        return isinstance(self._collect, Steps) and self._restartable

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self._backend.begin(seed)

    def snapshot(self) -> Callable[[], EpisodeSnapshot]:
        """A function that gives what `resume` needs to bring the environments back to where they stand now."""
        if not self._can_replay:
            return dict
        environment: Any = self._environment  # has `episode`, where it has `restart`
        episode, obs, pieces = environment.episode.copy(), self._backend.obs, self._action_log.segments()
        return lambda: snapshot(episode, obs, pieces)

    def resume(self, kept: EpisodeSnapshot, seed: int, fresh: int) -> np.ndarray:
        """Bring the environments back to where they stood when that was kept; where it is lost, begin afresh.

        `seed` is what their episodes began from; `fresh` seeds environments whose episodes cannot be begun again.
        """
        if not isinstance(self._collect, Steps):
            return np.zeros(self._environment.spec.num_envs, bool)  # whole episodes: each iteration begins afresh
        if not kept:
            self._backend.begin(fresh)
            return np.ones(self._environment.spec.num_envs, bool)
        lost = self._backend.resume(kept, seed)
        self._action_log = ActionLog(self._env_action, kept, lost)
        return lost

    @property
    def buffers(self) -> dict[str, Any]:
        """The arrays of the last rollout, as they stand."""
        return {name: x for name, x in self._backend.rows(self._which).items() if name != "sent"}

    @property
    def final_capacity(self) -> int:
        """How many ends of episodes the buffers have room for, where ends are kept apart; 0 where they are not."""
        final = tree_leaves(self.buffers.get("final", []))
        return len(final[0]) if final else 0

    def collect(self, mu: Behavior, noise: Any, seed: int) -> dict[str, Any]:
        """One rollout under μ, with the noise of all its steps; whole episodes begin afresh from `seed`."""
        self.start(mu, noise, seed)
        return self.finish()

    def start(self, mu: Behavior, noise: Any, seed: int, which: int = 0) -> None:
        """Begin a rollout into one of the sets of buffers; a crew goes on with it while other things are done."""
        given, self._which = behavior_arrays(mu), which
        self._refuse_non_finite_parameters(given)
        self._backend.start(given, jax.tree.leaves(noise), seed, which)

    def done(self) -> bool:
        """Whether what was begun need not be waited for."""
        return self._backend.done()

    def finish(self) -> dict[str, Any]:
        """The rollout that was begun."""
        self._backend.finish()
        rows = self._backend.rows(self._which)
        if self._can_replay:
            self._action_log.add(rows["sent"], rows["terminated"] | rows["truncated"], rows["time"][0] == 0)
        self._refuse_non_finite()
        return self.buffers

    def _refuse_non_finite_parameters(self, given: list[Any]) -> None:
        """A policy that computes NaN would still choose actions, if there are finitely many: none is sent."""
        theta = [np.asarray(x) for x in itertools.compress(given, self._learned)]  # a quarter of `device_get`'s time
        if not all(np.isfinite(x).all() for x in theta):
            name = self._environment.spec.name
            raise LogpiError(f"the policy's parameters are not finite: no action of it is sent to {name}")

    def _refuse_non_finite(self) -> None:
        """An environment that answers NaN is named before anything is learned from it."""
        fields = self.buffers
        valid = fields["valid"]
        floating = lambda x: x if np.issubdtype(x.dtype, np.floating) else None
        numbers = {name: jax.tree.map(floating, fields[name]) for name in observation_fields(fields) if name != "place"}
        seen = with_next_obs(fields | numbers, np.where)
        seen = {name: seen[name] for name in ("reward", "obs", "next_obs") if name in seen}
        for path, x in jax.tree_util.tree_flatten_with_path(seen)[0]:
            if not np.isfinite(x).all():
                bad = ~np.isfinite(x).reshape(*x.shape[:2], -1).all(-1) & valid
                if bad.any():
                    t, column = np.argwhere(bad)[0]
                    who = f"environment {column % self._environment.spec.num_envs} of {self._environment.spec.name}"
                    field = path[0].key + jax.tree_util.keystr(path[1:])
                    value, time = x[t, column], fields["time"][t, column]
                    raise LogpiError(f"{who} answered a non-finite {field} at step {time} of an episode: {value}")
