"""Factory of training loops: the device loop for JAX environments, a host loop for all others."""

import warnings
from collections.abc import Callable
from typing import Any

from logpi.algorithms.protocol import Algorithm
from logpi.environments.protocol import Environment, HostEnvironment, is_jax_environment
from logpi.loop.device import MAX_ITERATIONS_PER_CALL, DeviceLoop
from logpi.loop.host import make_host_loop
from logpi.loop.iteration import Carry
from logpi.loop.protocol import Loop
from logpi.rollout.workers.config import IN_PROCESS, Workers


def make_loop(
    algorithm: Algorithm,
    environment: Environment | HostEnvironment,
    carry: Carry,
    seed: int,
    workers: Workers = IN_PROCESS,
    steps: int = 0,
    capacity: int = MAX_ITERATIONS_PER_CALL,
    say: Callable[[str], Any] = warnings.warn,
) -> Loop:
    """Compile the training loop of an environment before its first step; parts that do not fit together raise here.

    - `carry`: the carry of the first call; later ones have its shapes, and its shardings.
    - `seed`: of the host environments' episodes.
    - `workers`, `steps`: worker processes, and total environment steps of the run (host environments only): "auto"
      starts workers only in runs that are long enough for them to pay.
    - `capacity`: most iterations of one call (JAX environments only), default 256.
    - `say`: is given a line where worker processes turn out to be of no use.
    """
    if is_jax_environment(environment):
        return DeviceLoop(algorithm, environment, carry, capacity)
    return make_host_loop(algorithm, environment, carry, seed, workers, steps, say)
