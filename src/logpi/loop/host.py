"""Training loops of host environments: one compiled program draws μ and the noise, another learns from the rollout.

Python runs between them and steps the environments: `HostLoop` collects, then learns; `PipelinedHostLoop` learns from
one rollout while worker processes collect the next.
"""

import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.compilation import aot_compile
from logpi.core.double import host_metrics
from logpi.core.seeds import TRAINING, derive
from logpi.environments.protocol import HostEnvironment, SteppableCopies
from logpi.errors import LogpiError
from logpi.loop.iteration import Carry, Info, iteration_keys, learn
from logpi.loop.protocol import CallBudget
from logpi.policies.behavior import Behavior
from logpi.rollout.host import HostRollout
from logpi.rollout.log_probs import scored_trajectory
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.noise import rollout_noise
from logpi.rollout.workers.config import IN_PROCESS, Workers
from logpi.rollout.workers.messages import EnvironmentsNotMade
from logpi.rollout.workers.pool import WorkerPool

DrawBehavior = Callable[[Carry, float], tuple[Behavior, PyTree]]  # (carry, progress) ↦ (μ, noise)
LearnFromRollout = Callable[[Carry, Behavior, dict[str, Any], float], tuple[Carry, Info]]
PIPELINE_FOLD = 2**30  # fold_in constant of the pipeline's first rollout; outside the range that `split` uses


class BehaviorProgram:
    """Compiled program that draws the behavior policy μ and the noise of one rollout."""

    def __init__(self, algorithm: Algorithm, environment: HostEnvironment, carry: Carry, obs: PyTree):
        """Compile for carries like this one; of the observations `obs[N]` only shapes and dtypes matter."""

        def draw(carry: Carry, obs: PyTree, progress: Array) -> tuple[Behavior, PyTree]:
            keys = iteration_keys(carry.key)
            mu = algorithm.at(progress).behavior(carry.state, keys.behavior)
            return mu, rollout_noise(mu, obs, keys.rollout, algorithm.collect, environment.spec)

        self._program, self._obs = aot_compile(draw, carry, obs, np.float32(0)), obs

    def __call__(self, carry: Carry, progress: float) -> tuple[Behavior, PyTree]:
        """Return (μ, noise); `progress` in [0, 1] is the share of the run's steps, for schedules."""
        return self._program(carry, self._obs, np.float32(progress))


class LearningProgram:
    """Compiled program that learns from one rollout; compiled again when the rollout's buffers have grown."""

    def __init__(
        self, algorithm: Algorithm, environment: HostEnvironment, carry: Carry, mu: Behavior, rollout: HostRollout
    ):
        """Compile for carries, behaviors and buffers like these."""
        self._algorithm, self._num_envs, self._rollout = algorithm, environment.spec.num_envs, rollout
        self._programs = {rollout.final_capacity: aot_compile(self._absorb, carry, mu, rollout.buffers, np.float32(0))}

    def __call__(self, carry: Carry, mu: Behavior, fields: dict[str, PyTree], progress: float) -> tuple[Carry, Info]:
        """Return (the next carry, the iteration's metrics) from the fields of a rollout under μ."""
        capacity = self._rollout.final_capacity
        if capacity not in self._programs:  # more episodes ended in one rollout than the buffers had room for
            self._programs[capacity] = aot_compile(self._absorb, carry, mu, fields, np.float32(progress))
        carry, info = self._programs[capacity](carry, mu, fields, np.float32(progress))
        return carry, host_metrics(jax.device_get(info))

    def _absorb(self, carry: Carry, mu: Behavior, fields: dict[str, PyTree], progress: Array) -> tuple[Carry, Info]:
        """Score the actions under μ, learn from the trajectory, and advance the key: the traced function."""
        fields = with_next_obs(fields) | {"reward": fields["reward"].astype(float)}
        before = carry.memory.policy
        tau = scored_trajectory(mu, fields, self._num_envs, self._algorithm.collect.complete, before)
        after = jax.tree.structure(before).unflatten(fields["memory"]) if jax.tree.leaves(before) else ()
        return learn(self._algorithm, carry, mu, tau, progress, after)


class HostLoop:
    """Sequential training loop of host environments: collect a rollout, then learn from it; one iteration a call."""

    donates_carry = False

    def __init__(
        self,
        environment: HostEnvironment,
        rollout: HostRollout,
        draw: DrawBehavior,
        learn: LearnFromRollout,
        seed: int,
        workers: Workers = IN_PROCESS,
        pool: WorkerPool | None = None,
    ):
        """Assemble the loop from its parts; `make_host_loop` makes them.

        - `draw`, `learn`: a `BehaviorProgram` and a `LearningProgram`.
        - `seed`: the run's; each rollout's episodes are seeded from it and the iteration.
        - `pool`: worker processes that collect for `rollout`, closed with the loop; None: `rollout` steps in process.
        """
        self._environment, self._rollout, self._draw, self._learn = environment, rollout, draw, learn
        self._seed, self._pool, self._counts_restarts = seed, pool, workers.restarts > 0
        in_process = environment if isinstance(environment, SteppableCopies) else None
        self._restartable = in_process if pool is None else pool  # counts the environments that were replaced

    def run(self, carry: Carry, budget: CallBudget) -> tuple[Carry, list[Info]]:
        """Run one iteration: (carry, [its metrics])."""
        started = time.perf_counter()
        progress = budget.steps / budget.budget
        mu, noise = self._draw(carry, progress)
        seed = self._rollout_seed(int(carry.iteration))
        fields = self._rollout.collect(mu, jax.device_get(noise), seed, carry.memory.policy)
        collected = time.perf_counter()
        carry, info = self._learn(carry, mu, fields, progress)
        return carry, [info | self._host_metrics(started, collected)]

    def snapshot(self) -> Callable[[], dict[str, Any]]:
        """Return a function that builds the arrays `resume` needs for the episodes that are unfinished now."""
        return self._rollout.snapshot()

    def resume(self, carry: Carry, snapshot: dict[str, Any]) -> Bool[np.ndarray, " N"]:
        """Replay a snapshot's episodes; returns which environments had to begin a new episode instead."""
        if carry.iteration == 0:
            return np.zeros(self._environment.spec.num_envs, bool)
        return self._rollout.resume(snapshot, self._rollout_seed(0), self._rollout_seed(int(carry.iteration)))

    def close(self) -> None:
        """Stop the worker processes, if there are any."""
        if self._pool is not None:
            self._pool.close()

    def _rollout_seed(self, iteration: int) -> int:
        return derive(self._seed, TRAINING, iteration)

    def _host_metrics(self, started: float, collected: float) -> Info:
        """Return the seconds of an iteration's two halves, and how many environments were restarted so far."""
        seconds = {"rollout_seconds": collected - started, "learn_seconds": time.perf_counter() - collected}
        if not self._counts_restarts:
            return seconds
        return seconds | {"environment_restarts": 0 if self._restartable is None else self._restartable.restarted}


class PipelinedHostLoop(HostLoop):
    """Training loop that overlaps learning with collection: it learns from rollout k while workers collect k + 1.

    The behavior policy of rollout k + 1 is therefore one update old (staleness 1); objectives that use the ratio
    π / μ account for it. Rollouts alternate between two sets of buffers.
    """

    _acting: Behavior | None = None  # μ of the rollout that the workers are collecting

    def run(self, carry: Carry, budget: CallBudget) -> tuple[Carry, list[Info]]:
        """Finish the rollout under way, start the next one, learn from the first: (carry, [metrics])."""
        started, iteration = time.perf_counter(), int(carry.iteration)
        progress = budget.steps / budget.budget
        if self._acting is None:
            # First call: nothing was started before it. A key of its own keeps this rollout's noise different from
            # that of the next one, which is drawn from the same carry.
            first = eqx.tree_at(lambda c: c.key, carry, jr.fold_in(carry.key, PIPELINE_FOLD))
            self._start(first, progress, iteration, carry.memory.policy)
        fields, mu = self._rollout.finish(), self._acting
        assert mu is not None
        self._start(carry, progress, iteration + 1, fields.get("memory", ()))
        collected = time.perf_counter()
        carry, info = self._learn(carry, mu, fields, progress)
        return carry, [info | self._host_metrics(started, collected)]

    def snapshot(self) -> Callable[[], dict[str, Any]]:
        """Return the empty snapshot: the environments are in the middle of a rollout, and a resumed run begins anew."""
        return dict

    def _start(self, carry: Carry, progress: float, iteration: int, memory: PyTree) -> None:
        """Draw the behavior policy from the carry and let the workers collect under it, from these memories on."""
        self._acting, noise = self._draw(carry, progress)
        seed, which = self._rollout_seed(iteration), iteration % 2
        self._rollout.start(self._acting, jax.device_get(noise), seed, which, memory)


def make_host_loop(
    algorithm: Algorithm,
    environment: HostEnvironment,
    carry: Carry,
    seed: int,
    workers: Workers,
    steps: int,
    say: Callable[[str], Any] = warnings.warn,
) -> HostLoop:
    """Compile both programs, start the workers that pay in a run of so many steps, and begin the first episodes.

    Workers that nobody asked for and that cannot make the environments are done without, which `say` is told.
    """
    first_seed = derive(seed, TRAINING, 0)
    obs = environment.example() if isinstance(environment, SteppableCopies) else environment.reset(first_seed)
    draw = BehaviorProgram(algorithm, environment, carry, obs)
    mu, noise = draw(carry, 0.0)
    rollout = HostRollout(environment, algorithm.collect, mu, obs, noise)
    with ExitStack() as on_error:
        # The workers start up while the learning program compiles. If anything below raises, the stack stops them;
        # otherwise `pop_all` empties it, and from then on the loop owns them: its `close` stops them.
        pool = start_workers(environment, rollout, workers, steps)
        if pool is not None:
            on_error.callback(pool.close)
        learn = LearningProgram(algorithm, environment, carry, mu, rollout)
        if isinstance(environment, SteppableCopies):
            environment.restarts = workers.restarts
            try:
                rollout.begin(first_seed)
            except EnvironmentsNotMade as error:
                if pool is None or not workers.optional:
                    raise
                say(f"warning: no worker processes, environments are stepped in this one: {error}")
                pool.close()
                pool = None
                rollout.use_no_workers()
                learn = LearningProgram(algorithm, environment, carry, mu, rollout)  # workers may store other fields
                rollout.begin(first_seed)
        on_error.pop_all()
    kind = PipelinedHostLoop if workers.pipeline else HostLoop
    return kind(environment, rollout, draw, learn, seed, workers, pool)


def start_workers(
    environment: HostEnvironment, rollout: HostRollout, workers: Workers, steps: int
) -> WorkerPool | None:
    """Start worker processes and let them collect, where some are asked for or pay; otherwise return None.

    Raises LogpiError where they are asked for by number, or for a pipeline, and the environment cannot be split.
    """
    number = workers.resolve_count(environment.spec.num_envs, rollout.size, steps)
    obstacle = rollout.why_not_parallel if number else None
    if obstacle and not workers.optional:
        name = environment.spec.name
        raise LogpiError(f"{name} cannot be shared out over {number} workers: {obstacle}; allowed: workers 0")
    if not number or obstacle or not isinstance(environment, SteppableCopies):
        return None
    pool = WorkerPool(environment, number, workers.restarts, workers.step_timeout)
    rollout.use_workers(pool, sets=2 if workers.pipeline else 1)
    return pool
