"""Rollouts of environments that are ordinary Python, written into buffers that are made once."""

from typing import Any

import numpy as np

from logpi.collect import Collect, Steps
from logpi.environments.protocol import HostEnvironment, Step
from logpi.errors import LogpiError
from logpi.policies.behaviour import Behaviour
from logpi.rollout.acting import Act, actor


class HostRollout:
    """Collects from a host environment into preallocated buffers, which the next rollout overwrites.

    The arrays it returns are the fields of a `Trajectory`, all but log μ(a|s): actors only act, and the learner
    scores all actions in one batch.
    """

    def __init__(self, environment: HostEnvironment, collect: Collect, mu: Behaviour, obs: Any, noise: Any):
        """`obs[N]` are the observations the environment stands at; μ and noise are examples of those to come."""
        self._environment, self._collect, self._obs = environment, collect, obs
        one = noise[0] if isinstance(collect, Steps) else noise[0, 0]
        self._bind = actor(mu, obs, one)
        action = self._bind(mu)(obs, one)[0]
        n = environment.spec.num_envs
        columns = n if isinstance(collect, Steps) else n * collect.per_environment
        rows = noise.shape[0] if isinstance(collect, Steps) else noise.shape[1]
        empty = lambda like: np.zeros((rows, columns, *like.shape[1:]), like.dtype)
        flag = np.zeros((rows, columns), bool)
        self.buffers = {"obs": empty(obs), "action": empty(action), "next_obs": empty(obs)}
        self.buffers |= {"reward": flag.astype(np.float32), "time": flag.astype(np.int32)}
        self.buffers |= {"terminated": flag.copy(), "truncated": flag.copy(), "valid": flag.copy()}
        self._time = np.zeros(n, np.int32)

    def collect(self, mu: Behaviour, noise: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        """One rollout under μ, with the noise of all its steps; whole episodes begin afresh from `seed`."""
        act = self._bind(mu)
        if isinstance(self._collect, Steps):
            self._window(act, noise)
        else:
            group = self._collect.group
            self._obs = self._environment.reset(seed) if group == 1 else self._environment.reset(seed, group)
            self._time[:] = 0
            self._episodes(act, noise, self._collect.per_environment)
        self._refuse_non_finite()
        return self.buffers

    def _window(self, act: Act, noise: np.ndarray) -> None:
        nobody = np.zeros(self._environment.spec.num_envs, bool)
        for t in range(noise.shape[0]):
            obs = self._obs
            action, native = act(obs, noise[t])
            step = self._environment.step(native, nobody)
            self._write(t, slice(None), slice(None), obs, action, step)
            self._advance(step)

    def _episodes(self, act: Act, noise: np.ndarray, per_environment: int) -> None:
        """`noise` is [k, limit, N, …]; episode e of environment i becomes column e·N + i."""
        n = self._environment.spec.num_envs
        everyone, episode = np.arange(n), np.zeros(n, np.int64)
        self.buffers["valid"][:] = False
        while (episode < per_environment).any():
            idle = episode >= per_environment
            obs = self._obs
            action, native = act(obs, noise[np.minimum(episode, per_environment - 1), self._time, everyone])
            step = self._environment.step(native, idle)
            some = np.flatnonzero(step.valid)
            self._write(self._time[some], episode[some] * n + some, some, obs, action, step)
            self._advance(step)
            episode += step.valid & (step.terminated | step.truncated)

    def _write(self, row: Any, column: Any, some: Any, obs: Any, action: Any, step: Step) -> None:
        place, buffers = (row, column), self.buffers
        buffers["obs"][place] = obs[some]
        buffers["action"][place] = action[some]
        buffers["next_obs"][place] = step.next_obs[some]
        buffers["reward"][place] = step.reward[some]
        buffers["time"][place] = self._time[some]
        buffers["terminated"][place] = step.terminated[some]
        buffers["truncated"][place] = step.truncated[some]
        buffers["valid"][place] = step.valid[some]

    def _advance(self, step: Step) -> None:
        self._obs = step.obs
        ended = step.terminated | step.truncated | ~step.valid
        self._time = np.where(ended, 0, self._time + 1).astype(np.int32)

    def _refuse_non_finite(self) -> None:
        """An environment that answers NaN is named before anything is learned from it."""
        for field in ("reward", "obs", "next_obs"):
            x = self.buffers[field]
            if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
                bad = ~np.isfinite(x).reshape(*x.shape[:2], -1).all(-1) & self.buffers["valid"].astype(bool)
                if bad.any():
                    t, column = np.argwhere(bad)[0]
                    who = f"environment {column % self._environment.spec.num_envs} of {self._environment.spec.name}"
                    value, time = x[t, column], self.buffers["time"][t, column]
                    raise LogpiError(f"{who} answered a non-finite {field} at step {time} of an episode: {value}")
