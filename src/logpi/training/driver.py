"""The driver of a run: iterate, evaluate, record, until the budget is spent or someone says stop."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import PyTree

from logpi.core.compilation import compiled
from logpi.core.trees import copied
from logpi.environments.protocol import on_device
from logpi.evaluation.evaluate import Awaited
from logpi.loop.call_length import AT_ONCE, Pace
from logpi.loop.compile import compile_iteration
from logpi.loop.device import Iteration
from logpi.loop.iteration import Carry, Info, begin
from logpi.loop.sharding import gathered, spread
from logpi.runs import checkpoint, progress
from logpi.runs.checkpoint import Checkpoint
from logpi.runs.directory import RunDirectory
from logpi.runs.divergence_guard import LeftOut
from logpi.runs.progress import Progress
from logpi.runs.recorder import Kept, Recorder
from logpi.runs.run import Run
from logpi.training.console import Reporter
from logpi.training.evaluation_queue import Ledger
from logpi.training.interrupts import Interrupts, Terminated
from logpi.training.plan import Plan, evaluation

TERMINATED = 143
Callback = Callable[[dict[str, Any]], Any]
Assess = Callable[[Any], Awaited | None]


def drive(
    plan: Plan,
    directory: RunDirectory,
    callbacks: Iterable[Callback],
    reporter: Reporter,
    stack: ExitStack,
    saved: Checkpoint | None = None,
) -> Run:
    """Make a run from its plan, from the start or from a checkpoint on."""
    callbacks = tuple(callbacks)
    listeners = [reporter.record, LeftOut(directory.path).record, *callbacks]
    recorder = stack.enter_context(Recorder(directory, plan.title, listeners, plan.checkpoint_seconds))
    stop = stack.enter_context(Interrupts())
    assess = assessment(plan, reporter, stack)
    carry = _begun(plan)
    if saved is not None:
        carry = copied(checkpoint.restore(saved, carry, "carry"))
    recorder.begin(progress.read(saved.facts) if saved else Progress(), lambda: Kept(carry, {}))
    carry, iteration = _compiled(plan, carry, recorder, reporter, saved, stack)
    pace = Pace(0.0 if callbacks else min(AT_ONCE, plan.checkpoint_seconds))
    hears = bool(callbacks)  # who may end the run hears of each iteration before the next
    ledger = Ledger(recorder.record, recorder.progress.steps, stop, wait=hears)
    carry, stopped = _loop(plan, carry, iteration, recorder, ledger, assess, stop, pace)
    summary = recorder.finish("interrupted" if stop.wanted else "stopped" if stopped else "done")
    reporter.summary(summary | {"directory": str(directory.path)})
    if stop.wanted:
        raise SystemExit(TERMINATED) if stop.wanted is Terminated else KeyboardInterrupt
    policy, critic = gathered((carry.state.policy, carry.state.critic))
    return Run(policy, critic, recorder.rows, summary, directory.path)


def _begun(plan: Plan) -> Carry:
    """What the run begins with, by one program: made one by one, each array of another shape would be compiled for."""
    given = plan.policy, plan.critic, plan.key
    return compiled(lambda *given: (begin(plan.algorithm, plan.environment, *given), ()), *given)(*given)[0]


def _compiled(
    plan: Plan, carry: Carry, recorder: Recorder, reporter: Reporter, saved: Checkpoint | None, stack: ExitStack
) -> tuple[Carry, Iteration]:
    """The iteration, with the environments where they stood; and the carry, which forgets episodes that are lost."""
    started = time.perf_counter()
    carry = spread(carry, plan.environment.spec.num_envs, plan.algorithm) if on_device(plan.environment) else carry
    iteration = compile_iteration(plan.algorithm, plan.environment, carry, plan.seed, plan.workers, plan.steps)
    stack.callback(iteration.close)
    recorder.compile_seconds = time.perf_counter() - started
    lost = iteration.resume(carry, _unfinished(saved, iteration.unfinished()()))
    if lost.any():
        reporter.say(
            f"{lost.sum()} of {lost.size} environments of {plan.environment.spec.name} did not replay to where they"
            " stood: they begin new episodes, and the run is not the one it would have been"
        )
        columns = jnp.asarray(lost).reshape(-1)
        carry = eqx.tree_at(lambda c: c.running, carry, jnp.where(columns, 0.0, carry.running))
    return carry, iteration


def _loop(
    plan: Plan,
    carry: Carry,
    iteration: Iteration,
    recorder: Recorder,
    ledger: Ledger,
    assess: Assess,
    stop: Interrupts,
    pace: Pace,
) -> tuple[Carry, bool]:
    """Iterate until the next iteration would not fit in the budget, or a callback says stop (then True)."""
    stopped = False
    try:
        while not stop.wanted and not stopped and plan.fits(ledger.steps):
            recorder.lend(iteration.consumes)
            droppable = not iteration.consumes
            with stop.droppable(droppable):
                new, infos = iteration.run(carry, plan.stretch(ledger.steps, pace.iterations))
            awaited = None
            if plan.due(ledger.after(infos)) > plan.due(ledger.steps):
                ledger.settle()  # the evaluation before, if it is still under way
                with stop.droppable(droppable):
                    awaited = assessing(assess, new.state.policy, infos)
            carry = new
            pace.took(sum(info["learn_seconds"] for info in infos), len(infos))
            stopped = ledger.add(infos, _kept(carry, iteration.unfinished()), awaited)
        stopped |= ledger.settle()
    except Terminated:
        pass  # what was finished before is kept
    except Exception:
        ledger.settle()
        raise
    return carry, stopped


def assessing(assess: Assess, policy: PyTree, infos: list[Info]) -> Awaited | None:
    """The evaluation of the policy that these iterations ended with; the time that it takes to begin is noted there."""
    started = time.perf_counter()
    awaited = assess(policy)
    infos[-1] |= {"eval_seconds": time.perf_counter() - started} if awaited else {}
    return awaited


def _kept(carry: Carry, unfinished: Callable[[], dict[str, Any]]) -> Callable[[], Kept]:
    return lambda: Kept(carry, unfinished())


def _unfinished(saved: Checkpoint | None, like: dict[str, Any]) -> dict[str, Any]:
    """The episodes that were under way; nothing where the checkpoint knows of none."""
    try:
        return checkpoint.pick(saved, like, "unfinished") if saved else {}
    except KeyError:
        return {}


def assessment(plan: Plan, reporter: Reporter, stack: ExitStack) -> Assess:
    """A function that begins a policy's evaluation, or gives None where none can be."""
    run = evaluation(plan, stack) if plan.evaluations else None
    if plan.evaluations and run is None:
        reporter.say("no evaluation while training: that needs a time limit, and an environment that can be made again")
    return lambda policy: run(gathered(policy)) if run else None
