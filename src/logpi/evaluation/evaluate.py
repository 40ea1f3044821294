"""Evaluation of a policy: whole episodes, greedy actions by default, seeds that training never uses."""

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

EVAL_ENVS = 20  # at most; environments stepped at the same time
WORKER_THRESHOLD_SECONDS = 1.0  # longer evaluations justify starting worker processes


@dataclass(frozen=True)
class Evaluation:
    """Returns and lengths of episodes, in the order of their seeds.

    - `returns`: undiscounted sums of raw rewards, [episodes].
    - `lengths`: numbers of steps, [episodes].
    """

    returns: np.ndarray
    lengths: np.ndarray

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def ci(self) -> tuple[float, float]:
        """95 % confidence interval of the mean return, by the percentile bootstrap."""
        return bootstrap_interval(self.returns, np.mean)


@dataclass(frozen=True)
class PendingEvaluation:
    """An evaluation in progress.

    - `done`: tells whether the result is available without waiting.
    - `result`: waits for the result and returns it.
    """

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

    - `env`: anything that `make` accepts.
    - `episodes`: number of episodes, ≥ 1.
    - `seed`: of the episodes; derived seeds never coincide with those of a training run.
    - `stochastic`: sample actions instead of taking the mode.
    - `max_episode_steps`: longest episode, for a task without a time limit.
    - `env_args`: keyword arguments of the environment, if `env` is a name or a factory.

    Raises LogpiError for fewer than one episode.

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
    """Compile an evaluation of policies like `policy`, and return the function (policy, seed) that starts one.

    Each of the N environments plays ⌈episodes / N⌉ whole episodes; surplus episodes are dropped by column, because
    dropping the last to finish would favor short ones. Fetch each result before starting the next evaluation.

    - `purpose`: of the derived seed, see `logpi.core.seeds`.
    - `hire`: called once, after the first evaluation on the host that exceeds WORKER_THRESHOLD_SECONDS; it may attach
      worker processes to the rollout, which changes no bit. Evaluations by workers run in the background; all others
      are done when the function returns.
    """
    behavior_of = (lambda p: Behavior(p)) if stochastic else (lambda p: Behavior(Greedy(p)))
    n = environment.spec.num_envs
    collect = Episodes(episodes_per_env=-(-episodes // n))
    mu = behavior_of(policy)
    play = (
        _on_device(environment, mu, collect)
        if is_jax_environment(environment)
        else _on_host(environment, mu, collect, hire)
    )

    def begin(policy: PyTree, seed: int) -> PendingEvaluation:
        over, played = play(behavior_of(policy), derive(seed, purpose))

        def result() -> Evaluation:
            reward, valid = played()
            returns = np.where(valid, reward, 0).sum(axis=0, dtype=np.float64)
            return Evaluation(returns[:episodes], valid.sum(axis=0)[:episodes])

        return PendingEvaluation(over, result)

    return begin


Played = tuple[Callable[[], bool], Callable[[], tuple[np.ndarray, np.ndarray]]]  # done; (reward, valid), each [T, E]
Play = Callable[[Behavior, int], Played]


def _on_device(environment: Any, mu: Behavior, collect: Episodes) -> Play:
    """Play episodes in one compiled program."""

    def play(mu: Behavior, key: Any) -> tuple[tuple, Any]:
        tau = device.rollout(environment, mu, (), key, collect)[1]
        return (), (tau.reward, tau.valid)

    program = aot_compile(play, mu, jr.key(0))
    return lambda mu, seed: _finished(jax.device_get(program(mu, jr.key(seed))[1]))


def _finished(played: tuple[np.ndarray, np.ndarray]) -> Played:
    """Wrap results that are available already."""
    return lambda: True, lambda: played


def _on_host(environment: Any, mu: Behavior, collect: Episodes, hire: Callable[[HostRollout], None]) -> Play:
    """Play episodes by a host rollout, and offer it to `hire` once a play takes long."""
    obs = environment.reset(0)
    noise = aot_compile(lambda mu, key: ((), rollout_noise(mu, obs, key, collect, environment.spec)), mu, jr.key(0))
    rollout = HostRollout(environment, collect, mu, obs, noise(mu, jr.key(0))[1], store=StoreNothing)
    without_workers = [rollout]  # empty once the rollout was offered to `hire`

    def finish() -> tuple[np.ndarray, np.ndarray]:
        fields = rollout.finish()
        return fields["reward"], fields["valid"]

    def play(mu: Behavior, seed: int) -> Played:
        began = time.perf_counter()
        rollout.start(mu, jax.device_get(noise(mu, jr.key(seed))[1]), seed)
        if not without_workers:
            return rollout.done, finish
        played = finish()
        if time.perf_counter() - began > WORKER_THRESHOLD_SECONDS:
            hire(without_workers.pop())
        return _finished(played)

    return play
