"""The driver of a run: iterate, evaluate, record, until the budget is spent or someone says stop."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import PyTree

from logpi.core.compilation import aot_compile
from logpi.core.trees import copy_arrays
from logpi.environments.protocol import is_jax_environment
from logpi.evaluation.evaluate import PendingEvaluation
from logpi.loop.call_length import TARGET_SECONDS, CallLength
from logpi.loop.factory import make_loop
from logpi.loop.iteration import Carry, Info, init_carry
from logpi.loop.protocol import Loop
from logpi.loop.sharding import shard, to_one_device
from logpi.runs import checkpoint, progress
from logpi.runs.checkpoint import Checkpoint
from logpi.runs.directory import RunDirectory
from logpi.runs.divergence_guard import StopOnSkippedUpdates
from logpi.runs.progress import Progress
from logpi.runs.recorder import Recorder, ResumeState
from logpi.runs.run import Run
from logpi.training.console import Reporter
from logpi.training.evaluation_queue import EvaluationQueue
from logpi.training.interrupts import Interrupts, Terminated
from logpi.training.plan import Plan, evaluation_of_plan

TERMINATED = 143
Callback = Callable[[dict[str, Any]], Any]
StartEvaluation = Callable[[Any], PendingEvaluation | None]


def run_training(
    plan: Plan,
    directory: RunDirectory,
    callbacks: Iterable[Callback],
    reporter: Reporter,
    stack: ExitStack,
    saved: Checkpoint | None = None,
) -> Run:
    """Make a run from its plan, from the start or from a checkpoint on."""
    callbacks = tuple(callbacks)
    listeners = [reporter.record, StopOnSkippedUpdates(directory.path).record, *callbacks]
    recorder = stack.enter_context(Recorder(directory, plan.title, listeners, plan.checkpoint_seconds))
    stop = stack.enter_context(Interrupts())
    assess = make_evaluation_starter(plan, reporter, stack)
    carry = initial_carry(plan)
    if saved is not None:
        carry = copy_arrays(checkpoint.restore(saved, carry, "carry"))
    recorder.begin(progress.read(saved.metadata) if saved else Progress(), lambda: ResumeState(carry, {}))
    carry, loop = compile_and_restore(plan, carry, recorder, reporter, saved, stack)
    pace = CallLength(0.0 if callbacks else min(TARGET_SECONDS, plan.checkpoint_seconds))
    hears = bool(callbacks)  # who may end the run hears of each iteration before the next
    ledger = EvaluationQueue(recorder.record, recorder.progress.steps, stop, wait=hears)
    carry, stopped = _loop(plan, carry, loop, recorder, ledger, assess, stop, pace)
    summary = recorder.finish("interrupted" if stop.requested else "stopped" if stopped else "done")
    reporter.show_summary(summary | {"directory": str(directory.path)})
    if stop.requested:
        raise SystemExit(TERMINATED) if stop.requested is Terminated else KeyboardInterrupt
    policy, critic = to_one_device((carry.state.policy, carry.state.critic))
    return Run(policy, critic, recorder.rows, summary, directory.path)


def initial_carry(plan: Plan) -> Carry:
    """What the run begins with, by one program: made one by one, each array of another shape would be compiled for."""
    given = plan.policy, plan.critic, plan.key
    return aot_compile(lambda *given: (init_carry(plan.algorithm, plan.environment, *given), ()), *given)(*given)[0]


def compile_and_restore(
    plan: Plan, carry: Carry, recorder: Recorder, reporter: Reporter, saved: Checkpoint | None, stack: ExitStack
) -> tuple[Carry, Loop]:
    """The iteration, with the environments where they stood; and the carry, which forgets episodes that are lost."""
    started = time.perf_counter()
    carry = (
        shard(carry, plan.environment.spec.num_envs, plan.algorithm) if is_jax_environment(plan.environment) else carry
    )
    loop = make_loop(plan.algorithm, plan.environment, carry, plan.seed, plan.workers, plan.steps)
    stack.callback(loop.close)
    recorder.compile_seconds = time.perf_counter() - started
    lost = loop.resume(carry, _saved_episodes(saved, loop.snapshot()()))
    if lost.any():
        reporter.log(
            f"{lost.sum()} of {lost.size} environments of {plan.environment.spec.name} did not replay to where they"
            " stood: they begin new episodes, and the run is not the one it would have been"
        )
        columns = jnp.asarray(lost).reshape(-1)
        carry = eqx.tree_at(lambda c: c.partial_returns, carry, jnp.where(columns, 0.0, carry.partial_returns))
    return carry, loop


def _loop(
    plan: Plan,
    carry: Carry,
    loop: Loop,
    recorder: Recorder,
    ledger: EvaluationQueue,
    assess: StartEvaluation,
    stop: Interrupts,
    pace: CallLength,
) -> tuple[Carry, bool]:
    """Iterate until the next iteration would not fit in the budget, or a callback says stop (then True)."""
    stopped = False
    try:
        while not stop.requested and not stopped and plan.has_room(ledger.steps):
            recorder.invalidate(loop.donates_carry)
            droppable = not loop.donates_carry
            with stop.abortable(droppable):
                new, infos = loop.run(carry, plan.next_call(ledger.steps, pace.iterations))
            awaited = None
            if plan.evaluations_due(ledger.steps_after(infos)) > plan.evaluations_due(ledger.steps):
                ledger.flush()  # the evaluation before, if it is still under way
                with stop.abortable(droppable):
                    awaited = start_evaluation(assess, new.state.policy, infos)
            carry = new
            pace.update(sum(info["learn_seconds"] for info in infos), len(infos))
            stopped = ledger.add(infos, _resume_state(carry, loop.snapshot()), awaited)
        stopped |= ledger.flush()
    except Terminated:
        pass  # what was finished before is kept
    except Exception:
        ledger.flush()
        raise
    return carry, stopped


def start_evaluation(assess: StartEvaluation, policy: PyTree, infos: list[Info]) -> PendingEvaluation | None:
    """The evaluation of the policy that these iterations ended with; the time that it takes to begin is noted there."""
    started = time.perf_counter()
    awaited = assess(policy)
    infos[-1] |= {"eval_seconds": time.perf_counter() - started} if awaited else {}
    return awaited


def _resume_state(carry: Carry, unfinished: Callable[[], dict[str, Any]]) -> Callable[[], ResumeState]:
    return lambda: ResumeState(carry, unfinished())


def _saved_episodes(saved: Checkpoint | None, like: dict[str, Any]) -> dict[str, Any]:
    """The episodes that were under way; nothing where the checkpoint knows of none."""
    try:
        return checkpoint.load_unchecked(saved, like, "episodes") if saved else {}
    except KeyError:
        return {}


def make_evaluation_starter(plan: Plan, reporter: Reporter, stack: ExitStack) -> StartEvaluation:
    """A function that begins a policy's evaluation, or gives None where none can be."""
    run = evaluation_of_plan(plan, stack) if plan.evaluations else None
    if plan.evaluations and run is None:
        reporter.log("no evaluation while training: that needs a time limit, and an environment that can be made again")
    return lambda policy: run(to_one_device(policy)) if run else None
