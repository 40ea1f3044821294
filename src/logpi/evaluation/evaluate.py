"""Evaluation of a policy: whole episodes, greedy actions by default, seeds that training never uses."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import PyTree

from logpi.core.scalars import LARGEST_INT32, WholeNumber, whole_number
from logpi.core.seeds import EVALUATION, derive, read_seed
from logpi.environments.protocol import Environment, HostEnvironment, is_jax_environment
from logpi.environments.registry import make
from logpi.environments.source import EnvironmentSource, is_constructible
from logpi.evaluation.statistics import bootstrap_interval
from logpi.policies.behavior import Behavior, greedy
from logpi.rollout.host import HostRollout
from logpi.rollout.play_episodes import EpisodePlayer

EVAL_ENVS = 20  # at most; environments stepped at the same time
WORKER_THRESHOLD_SECONDS = 1.0  # longer evaluations justify starting worker processes


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Returns and lengths of episodes, in the order of their seeds.

    - `returns`: undiscounted sums of raw rewards, [episodes].
    - `lengths`: numbers of steps, [episodes].
    """

    returns: np.ndarray
    lengths: np.ndarray

    def __repr__(self) -> str:
        """Return the mean return with its interval, and the number of episodes."""
        low, high = self.ci
        return f"Evaluation(mean={self.mean:.6g}, ci=({low:.6g}, {high:.6g}), episodes={len(self.returns)})"

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
    env: EnvironmentSource,
    *,
    episodes: WholeNumber = 100,
    seed: WholeNumber | None = 0,
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
    episodes, seed = whole_number("episodes", episodes, 1, LARGEST_INT32), read_seed(seed)
    environment = make(env, min(episodes, EVAL_ENVS), max_episode_steps, env_args)
    for line in environment.spec.warnings:
        warnings.warn(line, stacklevel=2)
    try:
        return make_evaluator(environment, policy, episodes, stochastic)(policy, seed).result()
    finally:
        if not is_jax_environment(environment) and is_constructible(env):
            environment.close()


def make_evaluator(
    environment: Environment | HostEnvironment,
    policy: PyTree,
    episodes: int,
    stochastic: bool = False,
    purpose: int = EVALUATION,
    use_workers: Callable[[HostRollout], None] = lambda rollout: None,
) -> Callable[[PyTree, int], PendingEvaluation]:
    """Compile an evaluation of policies like `policy`, and return the function (policy, seed) that starts one.

    Each of the N environments plays ⌈episodes / N⌉ whole episodes, see `EpisodePlayer`. Fetch each result before
    starting the next evaluation.

    - `purpose`: of the derived seed, see `logpi.core.seeds`.
    - `use_workers`: called once, after the first evaluation on the host that exceeds WORKER_THRESHOLD_SECONDS; it may
      attach worker processes to the rollout, which changes no bit. Evaluations by workers run in the background; all
      others are done when the function returns.
    """
    behavior_of = (lambda p: Behavior(p)) if stochastic else (lambda p: Behavior(greedy(p)))
    player = EpisodePlayer(environment, behavior_of(policy), episodes, outcomes_only=True)
    offered = False

    def result() -> Evaluation:
        record = player.finish()
        return Evaluation(record.returns, record.lengths)

    def begin(policy: PyTree, seed: int) -> PendingEvaluation:
        nonlocal offered
        started = time.perf_counter()
        player.start(behavior_of(policy), derive(seed, purpose))
        if offered:
            return PendingEvaluation(player.done, result)
        evaluation = result()
        rollout = player.host_rollout  # asked now: another one was made where episodes outlasted the time limit
        if rollout is not None and time.perf_counter() - started > WORKER_THRESHOLD_SECONDS:
            use_workers(rollout)
            offered = True
        return PendingEvaluation(lambda: True, lambda: evaluation)

    return begin
