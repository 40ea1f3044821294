"""The one loop of the library, compiled ahead: many iterations a call on the device, one around a host rollout."""

import time
from typing import Any

import equinox as eqx
import jax
import numpy as np

from logpi.core.compilation import Fill, lowered, ready
from logpi.environments.protocol import Environment, on_device
from logpi.loop.device import Iteration, Stretch, advance, limits
from logpi.loop.host import on_host
from logpi.loop.iteration import Carry, Info
from logpi.loop.sharding import over_learners, placed
from logpi.rollout.workers.config import IN_PROCESS, Workers

CAPACITY = 256  # iterations to a call on the device: more would spare nothing that can be measured


def compile_iteration(
    algorithm: Any,
    environment: Any,
    carry: Carry,
    seed: int,
    workers: Workers = IN_PROCESS,
    steps: int = 0,
    capacity: int = CAPACITY,
) -> Iteration:
    """Iterations, compiled before the first step is taken. Errors in how parts fit together surface here.

    `workers` and the run's `steps` matter to environments on the host; `capacity` is the most that one call makes on
    the device.
    """
    if on_device(environment):
        return _on_device(algorithm, environment, carry, capacity)
    return on_host(algorithm, environment, carry, seed, workers, steps)


def lowered_iterations(
    algorithm: Any, environment: Environment, carry: Carry, capacity: int = CAPACITY
) -> tuple[jax.stages.Lowered, Fill]:
    """The one program of a run on the device, traced but not compiled; and the form of the carry."""
    forward = over_learners(lambda carry, limits: advance(algorithm, environment, carry, limits, capacity), carry)
    example = jax.device_put(limits(Stretch(0, 1, 1, 1), capacity))
    return lowered(forward, carry, example, donate=True, places=placed(eqx.filter(carry, eqx.is_array)))


def _on_device(algorithm: Any, environment: Environment, carry: Carry, capacity: int) -> Iteration:
    """Whole iterations, as many as fit in a stretch, as one program."""
    program = ready(*lowered_iterations(algorithm, environment, carry, capacity))

    def run(carry: Carry, stretch: Stretch) -> tuple[Carry, list[Info]]:
        started = time.perf_counter()
        carry, (made, figures) = program(carry, jax.device_put(limits(stretch, capacity)))
        made, figures = jax.device_get((made, figures))
        return carry, rows_of(int(made), figures, time.perf_counter() - started)

    nothing_lost = np.zeros(environment.spec.num_envs, bool)
    return Iteration(run, lambda: dict, lambda carry, kept: nothing_lost, True, lambda: None)


def rows_of(made: int, figures: Info, seconds: float) -> list[Info]:
    """The figures of each iteration of a call; its time is shared out by steps."""
    total = max(int(figures["steps"][:made].sum()), 1)
    share = lambda i: {"rollout_seconds": None, "learn_seconds": seconds * max(int(figures["steps"][i]), 1) / total}
    return [jax.tree.map(lambda x, i=i: x[i], figures) | share(i) for i in range(made)]
