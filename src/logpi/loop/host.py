"""Iterations around a host rollout: one program draws μ and the noise, another learns from τ, Python stands between."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
from jaxtyping import Array, PyTree

from logpi.core.compilation import aot_compile
from logpi.core.seeds import TRAINING, derive
from logpi.environments.protocol import HostEnvironment, SteppableCopies
from logpi.errors import LogpiError
from logpi.loop.device import CallBudget, Iteration
from logpi.loop.iteration import Carry, Info, learn
from logpi.policies.behavior import Behavior
from logpi.rollout.host import HostRollout
from logpi.rollout.log_probs import behavior_log_probs
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.noise import rollout_noise
from logpi.rollout.workers.config import Workers
from logpi.rollout.workers.pool import WorkerPool
from logpi.types import Trajectory

PIPELINE_FOLD = 2**30  # far from any part that a key is split into: folding in i gives the i-th of them
Prepare = Callable[[Carry, float], tuple[Behavior, PyTree]]
Learn = Callable[[Carry, Behavior, dict[str, Any], float], tuple[Carry, Info]]
Run = Callable[[Carry, CallBudget], tuple[Carry, list[Info]]]


def on_host(
    algorithm: Any, environment: HostEnvironment, carry: Carry, seed: int, workers: Workers, steps: int
) -> Iteration:
    """Iterations on environments that are ordinary Python, in a run of so many steps. Each call makes one."""
    first = derive(seed, TRAINING, 0)
    obs = environment.example() if isinstance(environment, SteppableCopies) else environment.reset(first)
    prepare = _preparing(algorithm, environment, carry, obs)
    mu, noise = prepare(carry, 0.0)
    rollout = HostRollout(environment, algorithm.collect, mu, obs, noise)
    with ExitStack() as stack:
        crew = _hired(environment, rollout, workers, steps)  # they start while what follows is compiled
        stack.callback(crew.close if crew else lambda: None)
        learning = _learning(algorithm, environment, carry, mu, rollout)
        if isinstance(environment, SteppableCopies):
            environment.restarts = workers.restarts
            rollout.begin(first)
        close = stack.pop_all().close
    seed_of = lambda iteration: derive(seed, TRAINING, iteration)
    made: Run = (_ahead if workers.pipeline else _in_turn)(rollout, prepare, learning, seed_of)

    def run(carry: Carry, stretch: CallBudget) -> tuple[Carry, list[Info]]:
        carry, infos = made(carry, stretch)
        restarted = {"environment_restarts": getattr(crew or environment, "restarted", 0)} if workers.restarts else {}
        return carry, [info | restarted for info in infos]

    def resume(carry: Carry, kept: dict[str, Any]) -> np.ndarray:
        if carry.iteration == 0:
            return np.zeros(environment.spec.num_envs, bool)
        return rollout.resume(kept, first, seed_of(int(carry.iteration)))

    unfinished = (lambda: dict) if workers.pipeline else rollout.snapshot
    return Iteration(run, unfinished, resume, False, close)


def _preparing(algorithm: Any, environment: HostEnvironment, carry: Carry, obs: PyTree) -> Prepare:
    """The program that draws μ and a rollout's noise; where environments stand does not matter to it."""

    def prepare(carry: Carry, obs: PyTree, progress: Array) -> tuple[Behavior, PyTree]:
        k_mu, k_rollout, _, _ = jr.split(carry.key, 4)
        mu = algorithm.at(progress).behavior(carry.state, k_mu)
        return mu, rollout_noise(mu, obs, k_rollout, algorithm.collect, environment.spec)

    program = aot_compile(prepare, carry, obs, np.float32(0))
    return lambda carry, progress: program(carry, obs, np.float32(progress))


def _learning(algorithm: Any, environment: HostEnvironment, carry: Carry, mu: Behavior, rollout: HostRollout) -> Learn:
    """The program that learns from a rollout; there is another for each size of its buffers."""

    def absorb(carry: Carry, mu: Behavior, fields: dict[str, PyTree], progress: Array) -> tuple[Carry, Info]:
        fields = with_next_obs(fields) | {"reward": fields["reward"].astype(float)}
        log_prob = behavior_log_probs(mu, fields["obs"], fields["action"], environment.spec.num_envs)
        tau = Trajectory(**fields, log_prob=log_prob, complete=algorithm.collect.complete)
        state, running, info = learn(algorithm, carry, mu, tau, progress)
        return Carry(state, jr.split(carry.key, 4)[3], (), running, carry.iteration + 1), info

    programs = {rollout.final_capacity: aot_compile(absorb, carry, mu, rollout.buffers, np.float32(0))}

    def from_rollout(carry: Carry, mu: Behavior, fields: dict[str, PyTree], progress: float) -> tuple[Carry, Info]:
        if rollout.final_capacity not in programs:  # more ends than there was room for
            programs[rollout.final_capacity] = aot_compile(absorb, carry, mu, fields, np.float32(progress))
        carry, info = programs[rollout.final_capacity](carry, mu, fields, np.float32(progress))
        return carry, jax.device_get(info)

    return from_rollout


def _hired(environment: HostEnvironment, rollout: HostRollout, workers: Workers, steps: int) -> WorkerPool | None:
    """Processes that collect, if that many are asked for, or if they pay; else None."""
    number = workers.resolve_count(environment.spec.num_envs, rollout.size, steps)
    against = rollout.why_not_parallel if number else None
    if against and (workers.number or workers.pipeline):
        name = environment.spec.name
        raise LogpiError(f"{name} cannot be shared out over {number} workers: {against}; allowed: workers 0")
    if not number or against or not isinstance(environment, SteppableCopies):
        return None
    crew = WorkerPool(environment, number, workers.restarts, workers.step_timeout)
    rollout.use_workers(crew, sets=2 if workers.pipeline else 1)
    return crew


def _in_turn(rollout: HostRollout, prepare: Prepare, learning: Learn, seed_of: Callable[[int], int]) -> Run:
    """A rollout, then what is learned from it."""

    def run(carry: Carry, stretch: CallBudget) -> tuple[Carry, list[Info]]:
        started = time.perf_counter()
        progress = stretch.steps / stretch.budget
        mu, noise = prepare(carry, progress)
        fields = rollout.collect(mu, jax.device_get(noise), seed_of(int(carry.iteration)))
        collected = time.perf_counter()
        carry, info = learning(carry, mu, fields, progress)
        return carry, [info | _seconds(started, collected)]

    return run


def _ahead(rollout: HostRollout, prepare: Prepare, learning: Learn, seed_of: Callable[[int], int]) -> Run:
    """What is learned from one rollout, while the next is made by the policy that began that one's learning."""
    under_way: list[Behavior] = []

    def begin(carry: Carry, progress: float, iteration: int) -> None:
        mu, noise = prepare(carry, progress)
        under_way.append(mu)
        rollout.start(mu, jax.device_get(noise), seed_of(iteration), which=iteration % 2)

    def run(carry: Carry, stretch: CallBudget) -> tuple[Carry, list[Info]]:
        started, iteration = time.perf_counter(), int(carry.iteration)
        progress = stretch.steps / stretch.budget
        if not under_way:  # the first has nobody to begin it earlier; its numbers are no other rollout's
            begin(eqx.tree_at(lambda c: c.key, carry, jr.fold_in(carry.key, PIPELINE_FOLD)), progress, iteration)
        fields, mu = rollout.finish(), under_way.pop()
        begin(carry, progress, iteration + 1)
        collected = time.perf_counter()
        carry, info = learning(carry, mu, fields, progress)
        return carry, [info | _seconds(started, collected)]

    return run


def _seconds(started: float, collected: float) -> dict[str, float]:
    return {"rollout_seconds": collected - started, "learn_seconds": time.perf_counter() - collected}
