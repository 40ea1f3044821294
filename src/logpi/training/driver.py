"""The driver of one run: call the training loop, evaluate, record, until the budget is spent or a stop is requested."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, cast

import jax.numpy as jnp
from jaxtyping import PyTree

from logpi.core.compilation import aot_compile
from logpi.core.trees import copy_arrays
from logpi.environments.protocol import HostEnvironment, extend_time_limit, is_jax_environment
from logpi.errors import EpisodeOutlasts, LogpiError
from logpi.evaluation.evaluate import PendingEvaluation
from logpi.loop.call_length import TARGET_SECONDS, CallLength
from logpi.loop.factory import make_loop
from logpi.loop.iteration import Carry, Info, init_carry
from logpi.loop.protocol import Loop
from logpi.loop.sharding import idle_devices_message, shard, to_one_device
from logpi.rollout.episode_replay import LONGEST_ENDLESS, check_snapshot
from logpi.runs import checkpoint, progress
from logpi.runs.checkpoint import Checkpoint
from logpi.runs.directory import RunDirectory
from logpi.runs.divergence_guard import StopOnSkippedUpdates
from logpi.runs.progress import Progress
from logpi.runs.recorder import Recorder, ResumeState
from logpi.runs.run import Run
from logpi.training.arguments import Callback
from logpi.training.console import Reporter
from logpi.training.evaluation_queue import EvaluationQueue
from logpi.training.interrupts import Interrupts, Terminated
from logpi.training.plan import Plan, evaluation_of_plan
from logpi.training.scale_warnings import LargeRewardWarning, unscaled_image_lines

TERMINATED = 143  # exit status after SIGTERM: 128 + 15
StartEvaluation = Callable[[PyTree], PendingEvaluation | None]


def run_training(
    plan: Plan,
    directory: RunDirectory,
    callbacks: Iterable[Callback],
    reporter: Reporter,
    stack: ExitStack,
    saved: Checkpoint | None = None,
) -> Run:
    """Train as planned, from the start or from a checkpoint; what is opened is closed with the stack.

    Raises KeyboardInterrupt after SIGINT and SystemExit(143) after SIGTERM, once the run is saved.
    """
    callbacks = tuple(callbacks)
    for line in unscaled_image_lines(plan):
        reporter.log(line)
    scales_badly = LargeRewardWarning.applies(plan.settings, plan.critic)
    large_rewards = [LargeRewardWarning(reporter.log).record] if scales_badly else []
    listeners = [reporter.record, StopOnSkippedUpdates(directory.path).record, *large_rewards, *callbacks]
    recorder = stack.enter_context(Recorder(directory, plan.title, listeners, plan.checkpoint_seconds, plan.topology))
    interrupts = stack.enter_context(Interrupts(plan.topology))
    evaluate = make_evaluation_starter(plan, reporter, stack)
    carry = initial_carry(plan)
    if saved is not None:
        carry = copy_arrays(checkpoint.restore(saved, carry, "carry"))
    reached = progress.read(saved) if saved is not None else Progress()
    if int(carry.iteration) != reached.iteration:
        raise LogpiError(
            f"checkpoint {directory.path} contradicts itself: its arrays are of iteration {int(carry.iteration)}, its"
            f" progress of iteration {reached.iteration}"
        )
    # The recorder saves the first state before the loop is compiled: a signal or an error in the meantime leaves a
    # run that can be resumed.
    recorder.begin(reached, lambda: ResumeState(carry, {}))
    reporter.log(f"{plan.title}: {plan.description}; compiling …")
    carry, loop = compile_and_restore(plan, carry, recorder, reporter, saved, stack)
    # A callback can stop the run, so with callbacks each call makes one iteration, and every evaluation is waited for.
    # Several processes must record rows at the same time: they wait for evaluations, too.
    call_seconds = 0.0 if callbacks else min(TARGET_SECONDS, plan.checkpoint_seconds)
    wait = bool(callbacks) or plan.topology.num_processes > 1
    queue = EvaluationQueue(recorder.record, recorder.progress.steps, interrupts, wait)
    length = CallLength(call_seconds, plan.topology)
    driver = Driver(plan, carry, loop, recorder, queue, evaluate, interrupts, length)
    stack.callback(lambda: driver.loop.close())  # which may be another one by then
    stopped = driver.drive()
    request = interrupts.agreed()
    summary = recorder.finish("interrupted" if request else "stopped" if stopped else "done")
    reporter.show_summary(summary | {"directory": str(directory.path)})
    raise_request(request)
    policy, critic = to_one_device((driver.carry.state.policy, driver.carry.state.critic))
    return Run(policy, critic, recorder.rows, summary, directory.path)


def initial_carry(plan: Plan) -> Carry:
    """Initialize the carry in one compiled program: op by op, every new array shape would be compiled for."""
    networks_and_key = plan.policy, plan.critic, plan.key
    init = lambda *given: (init_carry(plan.algorithm, plan.environment, *given), ())
    return aot_compile(init, *networks_and_key)(*networks_and_key)[0]


def compile_and_restore(
    plan: Plan, carry: Carry, recorder: Recorder, reporter: Reporter, saved: Checkpoint | None, stack: ExitStack
) -> tuple[Carry, Loop]:
    """Compile the loop and bring host environments back to where the checkpoint left them: (carry, loop).

    The returns so far of episodes that could not be replayed are dropped from the carry.
    """
    started = time.perf_counter()
    on_device, num_envs = is_jax_environment(plan.environment), plan.environment.spec.num_envs
    if message := idle_devices_message(num_envs, plan.algorithm, on_device):
        reporter.log(message)
    carry = shard(carry, num_envs, plan.algorithm) if on_device else carry
    loop = make_loop(plan.algorithm, plan.environment, carry, plan.seed, plan.workers, plan.steps, say=reporter.log)
    stack.callback(loop.close)
    recorder.compile_seconds = time.perf_counter() - started
    lost = loop.resume(carry, _saved_episodes(saved, loop.snapshot()()))
    if lost.any():
        reporter.log(
            f"{lost.sum()} of {lost.size} environments of {plan.environment.spec.name} did not replay to where they"
            f" stood, or had no time limit and took more than {LONGEST_ENDLESS} steps: they begin new episodes, and the"
            " run is not the one it would have been"
        )
        columns = jnp.asarray(lost).reshape(-1)
        carry = replace(carry, partial_returns=carry.partial_returns.where(~columns))
    return carry, loop


def _saved_episodes(saved: Checkpoint | None, like: dict[str, Any]) -> dict[str, Any]:
    """Return the checkpoint's snapshot of unfinished episodes, with the parts of this one; {} if it holds none.

    Raises LogpiError where the snapshot cannot be one of these environments.
    """
    if saved is None or not like or not any(path.startswith("episodes") for path in saved.arrays):
        return {}
    try:
        kept = checkpoint.load_unchecked(saved, like, "episodes")
    except KeyError as missing:
        raise LogpiError(f"checkpoint {saved.path} lacks {missing} of its unfinished episodes") from None
    check_snapshot(kept, like, str(saved.path))
    return kept


@dataclass
class Driver:
    """Alternation of loop calls, evaluations and records, until no iteration fits in the budget or a stop is requested.

    - `carry`: after the last call.
    - `queue`: metric rows on their way to the recorder; counts the steps taken.
    - `length`: number of iterations of the next call.
    """

    plan: Plan
    carry: Carry
    loop: Loop
    recorder: Recorder
    queue: EvaluationQueue
    evaluate: StartEvaluation
    interrupts: Interrupts
    length: CallLength

    def drive(self) -> bool:
        """Train until the end; returns True if a callback stopped the run."""
        stopped = False
        try:
            while not self.interrupts.agreed() and not stopped and self.plan.has_room(self.queue.steps):
                stopped = self._call()
            stopped |= self.queue.flush()
        except Terminated:
            pass  # the iteration under way is dropped; everything before it is recorded
        except Exception:
            self.queue.flush()  # what was trained before the error is recorded, too
            raise
        return stopped

    def _call(self) -> bool:
        """Make one call of the loop, start an evaluation if one is due, and queue the rows: True to stop."""
        # A donated carry is gone once the call has begun. The last state can then not be saved until the call has
        # returned, and so the call must not be aborted.
        abortable = not self.loop.donates_carry
        self.recorder.invalidate(self.loop.donates_carry)
        with self.interrupts.abortable(abortable):
            carry, infos = self._run_loop()
        evaluation = None
        if self.plan.evaluations_due(self.queue.steps_after(infos)) > self.plan.evaluations_due(self.queue.steps):
            self.queue.flush()  # the last evaluation must be over, since both use the same environments
            with self.interrupts.abortable(abortable):
                evaluation = start_evaluation(self.evaluate, carry.state.policy, infos)
        # From here on the new carry is the run's: an aborted evaluation above drops these iterations as a whole.
        self.carry = carry
        self.length.update(sum(info["learn_seconds"] for info in infos), len(infos))
        return self.queue.add(infos, deferred_resume_state(carry, self.loop.snapshot()), evaluation)

    def _run_loop(self) -> tuple[Carry, list[Info]]:
        """Make one call of the loop; where an episode outlasts its time limit, with a loop that has room for it."""
        while True:
            try:
                return self.loop.run(self.carry, self.plan.next_call(self.queue.steps, self.length.iterations))
            except EpisodeOutlasts as error:
                plan = self.plan
                extend_time_limit(cast(HostEnvironment, plan.environment), error)
                self.loop.close()
                self.loop = make_loop(plan.algorithm, plan.environment, self.carry, plan.seed, plan.workers, plan.steps)


def raise_request(request: type[BaseException] | None) -> None:
    """Raise what ends the process after a requested stop: SystemExit(143) for SIGTERM, else KeyboardInterrupt."""
    if request is not None:
        raise SystemExit(TERMINATED) if request is Terminated else KeyboardInterrupt


def start_evaluation(evaluate: StartEvaluation, policy: PyTree, infos: list[Info]) -> PendingEvaluation | None:
    """Start the evaluation of the policy that these iterations led to; the last one's metrics note the time it took."""
    started = time.perf_counter()
    evaluation = evaluate(policy)
    infos[-1] |= {"eval_seconds": time.perf_counter() - started} if evaluation else {}
    return evaluation


def deferred_resume_state(carry: Carry, snapshot: Callable[[], dict[str, Any]]) -> Callable[[], ResumeState]:
    """Return a function that builds the state to save; snapshots are built only for states that are saved."""
    return lambda: ResumeState(carry, snapshot())


def make_evaluation_starter(plan: Plan, reporter: Reporter, stack: ExitStack) -> StartEvaluation:
    """Return a function that starts a policy's evaluation, or returns None where the run has none."""
    evaluate = evaluation_of_plan(plan, stack) if plan.evaluations else None
    if plan.evaluations and evaluate is None:
        reporter.log("no evaluation while training: that needs a time limit, and an environment that can be made again")
    return lambda policy: evaluate(to_one_device(policy)) if evaluate else None
