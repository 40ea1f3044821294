"""Collection of episodes on the device or on the host, and estimates from batches of them."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array, Key, PyTree

from logpi.core.compilation import aot_compile
from logpi.environments.protocol import is_jax_environment
from logpi.lab.expectation import Mean
from logpi.lab.problem import Problem
from logpi.policies.behavior import Behavior
from logpi.rollout.play_episodes import EpisodePlayer
from logpi.types import State, Trajectory

SIDE_BY_SIDE = 16  # environments stepped together on the host
ROWS_AT_ONCE = 2**17  # time steps differentiated at the same time, which bounds memory


class Sample(NamedTuple):
    """Estimates of one estimator on M batches.

    - `estimates`: ĝ of each batch, [M, P].
    - `steps`, `seconds`: environment steps, and time to collect and compute, of all batches together.
    - `mean`: exact mean; None if unknown.
    - `given`: conditional expectation of each estimate given part of its randomness, [M, P]; or None.
    """

    estimates: np.ndarray
    steps: float
    seconds: float
    mean: Mean | None = None
    given: np.ndarray | None = None


def episodes(problem: Problem, policy: PyTree, number: int, key: Key[Array, ""]) -> tuple[Trajectory, float]:
    """Collect `number` whole episodes of a policy, one per column; also return the seconds it took."""
    mu, first = Behavior(policy), problem.make(1)
    if is_jax_environment(first):
        return _play(EpisodePlayer(problem.make(number), mu, number), mu, 0, key)
    first.close()
    k_seed, k_noise = jr.split(key)
    environment = problem.make(SIDE_BY_SIDE)
    try:
        return _play(EpisodePlayer(environment, mu, number), mu, int(jr.randint(k_seed, (), 0, 2**31 - 1)), k_noise)
    finally:
        environment.close()


def _play(player: EpisodePlayer, mu: Behavior, seed: int, key: Key[Array, ""]) -> tuple[Trajectory, float]:
    """Play the episodes: (trajectory, seconds)."""
    started = time.perf_counter()
    player.start(mu, seed, key)
    seconds = time.perf_counter() - started
    trajectory = player.finish().trajectory
    assert trajectory is not None
    return trajectory, seconds


def estimates(
    method: Callable[[State, Trajectory], Array], state: State, tau: Trajectory, m: int
) -> tuple[np.ndarray, float]:
    """Compute (ĝ of every batch of m neighboring episodes [M, P], seconds) in one compiled program."""
    batches = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(x.shape[0], -1, m, *x.shape[2:]), 1, 0), tau)
    chunk = max(1, ROWS_AT_ONCE // (tau.reward.shape[0] * m))

    def every(state: State, batches: Trajectory) -> tuple[tuple, Array]:
        return (), lax.map(lambda batch: method(state, batch), batches, batch_size=chunk)

    found, seconds = timed(aot_compile(every, state, batches), state, batches)
    return np.asarray(found, np.float64), seconds


def timed(program: Callable[..., tuple[Any, Any]], *arguments: PyTree) -> tuple[Any, float]:
    """Run a compiled program; return its second result and the seconds it took."""
    started = time.perf_counter()
    answer = jax.block_until_ready(program(*arguments)[1])
    return answer, time.perf_counter() - started
