"""Rollouts of environments that are ordinary Python, written into buffers that are made once."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from logpi import nested
from logpi.collect import Collect, Steps
from logpi.environments.protocol import HostEnvironment, Step
from logpi.errors import LogpiError
from logpi.policies.behaviour import Behaviour
from logpi.rollout.acting import actor
from logpi.rollout.observations import Store, store, with_successors
from logpi.rollout.program import Act
from logpi.rollout.unfinished import Kept, Unfinished, replay, snapshot
from logpi.types import trainable


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
        keep: Store | None = None,
    ):
        """`obs[N]` are the observations the environment stands at; μ and noise are examples of those to come."""
        self._environment, self._collect, self._obs = environment, collect, obs
        draws = jax.tree.leaves(noise)
        first = 0 if isinstance(collect, Steps) else (0, 0)
        one = jax.tree.map(lambda x: x[first], noise)
        self._bind = actor(mu, obs, one)
        n = environment.spec.num_envs
        columns = n if isinstance(collect, Steps) else n * collect.per_environment
        rows = draws[0].shape[0] if isinstance(collect, Steps) else draws[0].shape[1]
        empty = lambda x: np.zeros((rows, columns, *x.shape[1:]), x.dtype)
        self._action, self._sent = nested.map(empty, self._bind(mu)(obs, one))
        self._actions = nested.leaves(self._action)
        self._observations = (keep or store(obs, collect))(obs, rows, columns)
        flag = np.zeros((rows, columns), bool)
        self._rows = {"reward": flag.astype(np.float32), "time": flag.astype(np.int32)}
        self._rows |= {"terminated": flag.copy(), "truncated": flag.copy(), "valid": flag.copy()}
        self._time = np.zeros(n, np.int32)
        self._unfinished = Unfinished(self._sent)
        self._replays = isinstance(collect, Steps) and hasattr(environment, "restart")

    def unfinished(self) -> Callable[[], Kept]:
        """A function that gives what `resume` needs to bring the environments back to where they stand now."""
        if not self._replays:
            return dict
        environment: Any = self._environment  # has `episode`, where it has `restart`
        episode, obs, pieces = environment.episode.copy(), self._obs, self._unfinished.pieces()
        return lambda: snapshot(episode, obs, pieces)

    def resume(self, kept: Kept, seed: int, fresh: int) -> np.ndarray:
        """Bring the environments back to where they stood when that was kept; where it is lost, begin afresh.

        `seed` is what their episodes began from; `fresh` seeds environments whose episodes cannot be begun again.
        """
        if not isinstance(self._collect, Steps):
            return np.zeros(self._environment.spec.num_envs, bool)  # whole episodes: each iteration begins afresh
        lost = np.ones(self._environment.spec.num_envs, bool)
        if kept:
            self._obs, lost = replay(self._environment, seed, kept)
            self._unfinished = Unfinished(self._sent, kept, lost)
            self._time = np.where(lost, 0, kept["length"]).astype(np.int32)
        else:
            self._obs = self._environment.reset(fresh)
        return lost

    @property
    def buffers(self) -> dict[str, Any]:
        """The arrays, as they stand."""
        return {"action": self._action} | self._rows | self._observations.fields

    @property
    def room(self) -> int:
        """How many ends of episodes the buffers have room for, where ends are kept apart; 0 where they are not."""
        final = nested.leaves(self.buffers.get("final", []))
        return len(final[0]) if final else 0

    def collect(self, mu: Behaviour, noise: Any, seed: int) -> dict[str, Any]:
        """One rollout under μ, with the noise of all its steps; whole episodes begin afresh from `seed`."""
        _refuse_non_finite_parameters(mu, self._environment.spec.name)
        act, draws = self._bind(mu), jax.tree.leaves(noise)
        if isinstance(self._collect, Steps):
            self._window(act, draws)
        else:
            group = self._collect.group
            self._obs = self._environment.reset(seed) if group == 1 else self._environment.reset(seed, group)
            self._time[:] = 0
            self._episodes(act, draws, self._collect.per_environment)
        self._refuse_non_finite()
        return self.buffers

    def _window(self, act: Act, draws: list[np.ndarray]) -> None:
        nobody = np.zeros(self._environment.spec.num_envs, bool)
        everyone, sent = slice(None), nested.leaves(self._sent)
        for t in range(draws[0].shape[0]):
            obs = self._obs
            action, native = act(obs, [x[t] for x in draws])
            step = self._environment.step(native, nobody)
            self._write((t, everyone), everyone, obs, action, step)
            for buffer, x in zip(sent, nested.leaves(native), strict=True):
                buffer[t] = x
            self._advance(step)
        if self._replays:
            self._unfinished.add(self._sent, self._rows["terminated"] | self._rows["truncated"])

    def _episodes(self, act: Act, draws: list[np.ndarray], per_environment: int) -> None:
        """Draws are [k, limit, N, …]; episode e of environment i becomes column e·N + i."""
        n = self._environment.spec.num_envs
        everyone, episode = np.arange(n), np.zeros(n, np.int64)
        self._rows["valid"][:] = False
        while (episode < per_environment).any():
            idle = episode >= per_environment
            obs = self._obs
            now = np.minimum(episode, per_environment - 1), self._time, everyone
            action, native = act(obs, [x[now] for x in draws])
            step = self._environment.step(native, idle)
            some = np.flatnonzero(step.valid)
            self._write((self._time[some], episode[some] * n + some), some, obs, action, step)
            self._advance(step)
            episode += step.valid & (step.terminated | step.truncated)

    def _write(self, place: tuple[Any, Any], some: Any, obs: Any, action: Any, step: Step) -> None:
        rows = self._rows
        self._observations.write(place, some, obs, step)
        for buffer, x in zip(self._actions, nested.leaves(action), strict=True):
            buffer[place] = x[some]
        rows["reward"][place] = step.reward[some]
        rows["time"][place] = self._time[some]
        rows["terminated"][place] = step.terminated[some]
        rows["truncated"][place] = step.truncated[some]
        rows["valid"][place] = step.valid[some]

    def _advance(self, step: Step) -> None:
        self._obs = step.obs
        self._time += 1
        self._time[step.terminated | step.truncated | ~step.valid] = 0

    def _refuse_non_finite(self) -> None:
        """An environment that answers NaN is named before anything is learned from it."""
        valid, fields = self._rows["valid"], self.buffers
        floating = lambda x: x if np.issubdtype(x.dtype, np.floating) else None
        numbers = {name: jax.tree.map(floating, fields[name]) for name in self._observations.fields if name != "place"}
        seen = with_successors(fields | numbers, np.where)
        seen = {name: seen[name] for name in ("reward", "obs", "next_obs") if name in seen}
        for path, x in jax.tree_util.tree_flatten_with_path(seen)[0]:
            if not np.isfinite(x).all():
                bad = ~np.isfinite(x).reshape(*x.shape[:2], -1).all(-1) & valid
                if bad.any():
                    t, column = np.argwhere(bad)[0]
                    who = f"environment {column % self._environment.spec.num_envs} of {self._environment.spec.name}"
                    field = path[0].key + jax.tree_util.keystr(path[1:])
                    value, time = x[t, column], self._rows["time"][t, column]
                    raise LogpiError(f"{who} answered a non-finite {field} at step {time} of an episode: {value}")


def _refuse_non_finite_parameters(mu: Behaviour, name: str) -> None:
    """A policy that computes NaN would still choose actions, if there are finitely many: none is sent."""
    if not all(np.isfinite(x).all() for x in jax.device_get(jax.tree.leaves(trainable(mu.policy)[0]))):
        raise LogpiError(f"the policy's parameters are not finite: no action of it is sent to {name}")
