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

from logpi.core.collection import Episodes
from logpi.core.compilation import aot_compile
from logpi.environments.protocol import is_jax_environment
from logpi.lab.expectation import Mean
from logpi.lab.problem import Problem
from logpi.policies.behavior import Behavior
from logpi.policies.evaluate import evaluate_behavior
from logpi.rollout import device
from logpi.rollout.host import HostRollout
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.noise import rollout_noise
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
    first = problem.make(1)
    return (_on_device if is_jax_environment(first) else _on_host)(problem, Behavior(policy), number, key)


def _on_device(problem: Problem, mu: Behavior, number: int, key: Key[Array, ""]) -> tuple[Trajectory, float]:
    environment = problem.make(number)
    play = lambda environment, mu, key: ((), device.rollout(environment, mu, (), key, Episodes())[1])
    return timed(aot_compile(play, environment, mu, key), environment, mu, key)


def _on_host(problem: Problem, mu: Behavior, number: int, key: Key[Array, ""]) -> tuple[Trajectory, float]:
    environment = problem.make(SIDE_BY_SIDE)
    k_seed, k_noise = jr.split(key)
    seed = int(jr.randint(k_seed, (), 0, 2**31 - 1))
    n = environment.spec.num_envs
    collect = Episodes(episodes_per_env=-(-number // n))
    try:
        obs = environment.reset(seed)
        draw = lambda mu, key: ((), rollout_noise(mu, obs, key, collect, environment.spec))
        noise = jax.device_get(aot_compile(draw, mu, k_noise)(mu, k_noise)[1])
        rollout = HostRollout(environment, collect, mu, obs, noise)
        started = time.perf_counter()
        fields = with_next_obs(rollout.collect(mu, noise, seed))
        seconds = time.perf_counter() - started
    finally:
        environment.close()
    scores = aot_compile(lambda mu, fields: ((), _scored(mu, fields)), mu, fields)
    tau = Trajectory(**fields, log_prob=scores(mu, fields)[1], complete=True)
    return jax.tree.map(lambda x: jnp.asarray(x)[:, :number], tau), seconds


def _scored(mu: Behavior, fields: dict[str, Any]) -> Array:
    return evaluate_behavior(mu, fields["obs"]).log_prob(fields["action"])


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


def timed(program: Callable[..., tuple[Any, Any]], *arguments: Any) -> tuple[Any, float]:
    """Run a compiled program; return its second result and the seconds it took."""
    started = time.perf_counter()
    answer = jax.block_until_ready(program(*arguments)[1])
    return answer, time.perf_counter() - started
