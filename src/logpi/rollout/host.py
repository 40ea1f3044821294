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
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.protocol import HostEnvironment
from logpi.errors import LogpiError
from logpi.numpy_policy.actor import actor, learned, weights
from logpi.numpy_policy.blocks import examples
from logpi.numpy_policy.program import Program
from logpi.policies.behavior import Behaviour
from logpi.rollout.backends import Alone, Hands, Hired
from logpi.rollout.buffers import empty_rows, observed
from logpi.rollout.episode_replay import Kept, Unfinished, snapshot
from logpi.rollout.next_observations import with_successors
from logpi.rollout.observations import Both, OnceAndEnds, Store, store
from logpi.rollout.workers.pool import Crew


class HostRollout:
    """Collects from a host environment into preallocated buffers, which the next rollout overwrites.

    The arrays it returns are the fields of a `Trajectory`, all but log μ(a|s): actors only act, and the learner
    scores all actions in one batch. Pictures are kept once: `with_successors` gives the fields as they are named.
    """

    def __init__(
        self,
        environment: HostEnvironment,
        collect: Collect,
        mu: Behaviour,
        obs: Any,
        noise: Any,
        keep: type[Store] | None = None,
    ):
        """`obs[N]` are the observations the environment stands at; μ and noise are examples of those to come."""
        self._environment, self._collect = environment, collect
        draws = [np.asarray(x) for x in jax.tree.leaves(noise)]
        first = 0 if isinstance(collect, Steps) else (0, 0)
        self._actor = acts = actor(mu, obs, jax.tree.map(lambda x: x[first], noise))
        draw = [np.resize(x[first], (acts.block, *x[first].shape[1:])) for x in draws]
        answer = acts.bind(weights(mu))(examples(obs, acts.block), draw)
        self._keep, self._draws = keep or store(obs, collect), draws
        self._weights = [np.asarray(x) for x in weights(mu)] if acts.program else []
        self._learned = learned(mu)
        self._empty = lambda keep: empty_rows(collect, draws, keep, obs, answer)
        self._hands: Hands = Alone(environment, collect, acts, self._keep, self._empty(self._keep), obs)
        self._sent, self._which = self._hands.rows(0)["sent"], 0
        self._unfinished = Unfinished(self._sent)

    def hire(self, crew: Crew, sets: int = 1) -> None:
        """Leave the rollouts to a crew; into several sets of buffers, so that one can be learned from meanwhile."""
        keep = Both if self._keep is OnceAndEnds else self._keep  # shared memory does not grow
        each = lambda: {"rows": self._empty(keep), "draws": self._draws, "weights": self._weights}
        self._environment = crew
        self._hands = Hired(crew, self._collect, self._actor, keep, [each() for _ in range(sets)])
        self._sent = self._hands.rows(0)["sent"]

    @property
    def obstacle(self) -> str | None:
        """What stands against leaving the rollouts to a crew, if anything does."""
        one = self._environment
        if not hasattr(socket, "send_fds"):
            return "this system hands no memory from process to process"
        if not isinstance(one, Gymnasium) or one.make is None:
            return "workers make environments of their own, from a Gymnasium id or a factory of single environments"
        if self.lowered is None:
            return "the policy acts by a jitted call, and workers act by NumPy alone"
        try:
            cloudpickle.dumps(one.make)
        except Exception as error:
            return f"its factory cannot be sent to another process ({' '.join(str(error).split())})"
        return None

    @property
    def lowered(self) -> Program | None:
        """How the policy acts, as lines of NumPy; None where it acts by a jitted call."""
        return self._actor.program

    @property
    def size(self) -> int:
        """The most rows that a rollout has."""
        return self._hands.rows(0)["reward"].size

    @property
    def _replays(self) -> bool:
        return isinstance(self._collect, Steps) and hasattr(self._environment, "restart")

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self._hands.begin(seed)

    def unfinished(self) -> Callable[[], Kept]:
        """A function that gives what `resume` needs to bring the environments back to where they stand now."""
        if not self._replays:
            return dict
        environment: Any = self._environment  # has `episode`, where it has `restart`
        episode, obs, pieces = environment.episode.copy(), self._hands.obs, self._unfinished.pieces()
        return lambda: snapshot(episode, obs, pieces)

    def resume(self, kept: Kept, seed: int, fresh: int) -> np.ndarray:
        """Bring the environments back to where they stood when that was kept; where it is lost, begin afresh.

        `seed` is what their episodes began from; `fresh` seeds environments whose episodes cannot be begun again.
        """
        if not isinstance(self._collect, Steps):
            return np.zeros(self._environment.spec.num_envs, bool)  # whole episodes: each iteration begins afresh
        if not kept:
            self._hands.begin(fresh)
            return np.ones(self._environment.spec.num_envs, bool)
        lost = self._hands.resume(kept, seed)
        self._unfinished = Unfinished(self._sent, kept, lost)
        return lost

    @property
    def buffers(self) -> dict[str, Any]:
        """The arrays of the last rollout, as they stand."""
        return {name: x for name, x in self._hands.rows(self._which).items() if name != "sent"}

    @property
    def room(self) -> int:
        """How many ends of episodes the buffers have room for, where ends are kept apart; 0 where they are not."""
        final = tree_leaves(self.buffers.get("final", []))
        return len(final[0]) if final else 0

    def collect(self, mu: Behaviour, noise: Any, seed: int) -> dict[str, Any]:
        """One rollout under μ, with the noise of all its steps; whole episodes begin afresh from `seed`."""
        self.start(mu, noise, seed)
        return self.finish()

    def start(self, mu: Behaviour, noise: Any, seed: int, which: int = 0) -> None:
        """Begin a rollout into one of the sets of buffers; a crew goes on with it while other things are done."""
        given, self._which = weights(mu), which
        self._refuse_non_finite_parameters(given)
        self._hands.start(given, jax.tree.leaves(noise), seed, which)

    def over(self) -> bool:
        """Whether what was begun need not be waited for."""
        return self._hands.over()

    def finish(self) -> dict[str, Any]:
        """The rollout that was begun."""
        self._hands.finish()
        rows = self._hands.rows(self._which)
        if self._replays:
            self._unfinished.add(rows["sent"], rows["terminated"] | rows["truncated"], rows["time"][0] == 0)
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
        numbers = {name: jax.tree.map(floating, fields[name]) for name in observed(fields) if name != "place"}
        seen = with_successors(fields | numbers, np.where)
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
