"""How good a policy is: whole episodes, its most likely actions, seeds that training never used."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.random as jr
import numpy as np
from jaxtyping import PyTree

from logpi.core.collection import Episodes
from logpi.core.compilation import aot_compile
from logpi.core.seeds import EVALUATION, derive
from logpi.environments.protocol import is_jax_environment
from logpi.environments.registry import make
from logpi.errors import LogpiError
from logpi.evaluation.statistics import bootstrap_interval
from logpi.policies.behavior import Behavior, Greedy
from logpi.rollout import device
from logpi.rollout.host import HostRollout
from logpi.rollout.noise import rollout_noise
from logpi.rollout.observations import StoreNothing

EVAL_ENVS = 20
WORKER_THRESHOLD_SECONDS = 1.0  # seconds: what takes longer is worth starting processes for


@dataclass(frozen=True)
class Evaluation:
    """Returns and lengths of the episodes, in the order in which they were seeded."""

    returns: np.ndarray
    lengths: np.ndarray

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(self.returns.mean())

    @property
    def ci(self) -> tuple[float, float]:
        """A 95 % interval for the mean return: the percentile bootstrap."""
        return bootstrap_interval(self.returns, np.mean)


@dataclass(frozen=True)
class PendingEvaluation:
    """An evaluation that has begun: whether it is over, and what it came to, which may have to be waited for."""

    done: Callable[[], bool]
    result: Callable[[], Evaluation]


def evaluate(
    policy: PyTree,
    env: Any,
    *,
    episodes: int = 100,
    seed: int = 0,
    stochastic: bool = False,
    max_episode_steps: int | None = None,
    env_args: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Play whole episodes with a policy and report their returns: undiscounted, raw rewards.

    - `env`: whatever `make` takes.
    - `seed`: of the episodes; never the same as any seed of a training run's.
    - `stochastic`: sample actions instead of taking the mode.
    - `max_episode_steps`: the longest an episode may be, for a task that has no time limit.
    - `env_args`: keyword arguments of the environment, where `env` is a name or a factory.

        >>> import logpi, jax
        >>> env = logpi.make("logpi:CartPole-v1", 1)
        >>> policy = logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, key=jax.random.key(0))
        >>> evaluate(policy, "logpi:CartPole-v1", episodes=3).returns.shape
        (3,)
    """
    if episodes < 1:
        raise LogpiError(f"episodes is {episodes}; allowed: a whole number ≥ 1")
    environment = make(env, min(episodes, EVAL_ENVS), max_episode_steps, env_args)
    try:
        return make_evaluator(environment, policy, episodes, stochastic)(policy, seed).result()
    finally:
        if not is_jax_environment(environment):
            environment.close()


def make_evaluator(
    environment: Any,
    policy: PyTree,
    episodes: int,
    stochastic: bool = False,
    purpose: int = EVALUATION,
    hire: Callable[[HostRollout], None] = lambda rollout: None,
) -> Callable[[PyTree, int], PendingEvaluation]:
    """A function that begins an evaluation (policy, seed) of a policy like this one, prepared once, used many times.

    Each environment plays ⌈episodes / N⌉ whole episodes, and those beyond the number asked for are left out by their
    place, not by when they end: that would favor short ones. `hire` is called when the first evaluation on the host
    that took long is over, and may leave the next ones to worker processes, which changes no bit. Those go on while
    other things are done; all others are over when they have begun. One must have its result before the next begins.
    """
    act_like = (lambda p: Behavior(p)) if stochastic else (lambda p: Behavior(Greedy(p)))
    n = environment.spec.num_envs
    collect = Episodes(episodes_per_env=-(-episodes // n))
    mu = act_like(policy)
    play = (
        _on_device(environment, mu, collect)
        if is_jax_environment(environment)
        else _on_host(environment, mu, collect, hire)
    )

    def begin(policy: PyTree, seed: int) -> PendingEvaluation:
        over, played = play(act_like(policy), derive(seed, purpose))

        def result() -> Evaluation:
            reward, valid = played()
            returns = np.where(valid, reward, 0).sum(axis=0, dtype=np.float64)
            return Evaluation(returns[:episodes], valid.sum(axis=0)[:episodes])

        return PendingEvaluation(over, result)

    return begin


Played = tuple[Callable[[], bool], Callable[[], tuple[np.ndarray, np.ndarray]]]  # whether it is over; reward, valid
Play = Callable[[Behavior, int], Played]


def _on_device(environment: Any, mu: Behavior, collect: Episodes) -> Play:
    def play(mu: Behavior, key: Any) -> tuple[tuple, Any]:
        tau = device.rollout(environment, mu, (), key, collect)[1]
        return (), (tau.reward, tau.valid)

    program = aot_compile(play, mu, jr.key(0))
    return lambda mu, seed: _finished(jax.device_get(program(mu, jr.key(seed))[1]))


def _finished(played: tuple[np.ndarray, np.ndarray]) -> Played:
    return lambda: True, lambda: played


def _on_host(environment: Any, mu: Behavior, collect: Episodes, hire: Callable[[HostRollout], None]) -> Play:
    obs = environment.reset(0)
    noise = aot_compile(lambda mu, key: ((), rollout_noise(mu, obs, key, collect, environment.spec)), mu, jr.key(0))
    rollout = HostRollout(environment, collect, mu, obs, noise(mu, jr.key(0))[1], keep=StoreNothing)
    alone = [rollout]

    def finish() -> tuple[np.ndarray, np.ndarray]:
        fields = rollout.finish()
        return fields["reward"], fields["valid"]

    def play(mu: Behavior, seed: int) -> Played:
        began = time.perf_counter()
        rollout.start(mu, jax.device_get(noise(mu, jr.key(seed))[1]), seed)
        if not alone:
            return rollout.done, finish
        played = finish()
        if time.perf_counter() - began > WORKER_THRESHOLD_SECONDS:
            hire(alone.pop())
        return _finished(played)

    return play
