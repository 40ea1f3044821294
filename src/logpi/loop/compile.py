"""The one loop of the library, compiled ahead: many iterations a call on the device, one around a host rollout."""

import time
from typing import Any

import equinox as eqx
import jax
import numpy as np

from logpi.core.compilation import Fill, finish_compile, lower
from logpi.environments.protocol import Environment, is_jax_environment
from logpi.loop.device import CallBudget, Iteration, device_call_budget, run_iterations
from logpi.loop.host import on_host
from logpi.loop.iteration import Carry, Info
from logpi.loop.sharding import shard_map_learners, shardings_of
from logpi.rollout.workers.config import IN_PROCESS, Workers

MAX_ITERATIONS_PER_CALL = 256  # iterations to a call on the device: more would spare nothing that can be measured


def make_loop(
    algorithm: Any,
    environment: Any,
    carry: Carry,
    seed: int,
    workers: Workers = IN_PROCESS,
    steps: int = 0,
    capacity: int = MAX_ITERATIONS_PER_CALL,
) -> Iteration:
    """Iterations, compiled before the first step is taken. Errors in how parts fit together surface here.

    `workers` and the run's `steps` matter to environments on the host; `capacity` is the most that one call makes on
    the device.
    """
    if is_jax_environment(environment):
        return _on_device(algorithm, environment, carry, capacity)
    return on_host(algorithm, environment, carry, seed, workers, steps)


def lower_device_loop(
    algorithm: Any, environment: Environment, carry: Carry, capacity: int = MAX_ITERATIONS_PER_CALL
) -> tuple[jax.stages.Lowered, Fill]:
    """The one program of a run on the device, traced but not compiled; and the form of the carry."""
    forward = shard_map_learners(
        lambda carry, limits: run_iterations(algorithm, environment, carry, limits, capacity), carry
    )
    example = jax.device_put(device_call_budget(CallBudget(0, 1, 1, 1), capacity))
    return lower(forward, carry, example, donate=True, places=shardings_of(eqx.filter(carry, eqx.is_array)))


def _on_device(algorithm: Any, environment: Environment, carry: Carry, capacity: int) -> Iteration:
    """Whole iterations, as many as fit in a stretch, as one program."""
    program = finish_compile(*lower_device_loop(algorithm, environment, carry, capacity))

    def run(carry: Carry, stretch: CallBudget) -> tuple[Carry, list[Info]]:
        started = time.perf_counter()
        carry, (made, figures) = program(carry, jax.device_put(device_call_budget(stretch, capacity)))
        made, figures = jax.device_get((made, figures))
        return carry, metrics_per_iteration(int(made), figures, time.perf_counter() - started)

    nothing_lost = np.zeros(environment.spec.num_envs, bool)
    return Iteration(run, lambda: dict, lambda carry, kept: nothing_lost, True, lambda: None)


def metrics_per_iteration(made: int, figures: Info, seconds: float) -> list[Info]:
    """The figures of each iteration of a call; its time is shared out by steps."""
    total = max(int(figures["steps"][:made].sum()), 1)
    share = lambda i: {"rollout_seconds": None, "learn_seconds": seconds * max(int(figures["steps"][i]), 1) / total}
    return [jax.tree.map(lambda x, i=i: x[i], figures) | share(i) for i in range(made)]
