"""The driver of many runs at once: one program for all of them, a directory for each."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from logpi.loop.call_length import TARGET_SECONDS, CallLength
from logpi.loop.iteration import Carry, Info
from logpi.loop.protocol import CallBudget
from logpi.loop.vectorized import VectorizedLoop, init_many
from logpi.runs.directory import RunDirectory
from logpi.runs.progress import Progress
from logpi.runs.recorder import Recorder, ResumeState
from logpi.runs.run import Run
from logpi.training.console import Reporter
from logpi.training.driver import TERMINATED, StartEvaluation, make_evaluation_starter, start_evaluation
from logpi.training.evaluation_queue import PendingRows
from logpi.training.interrupts import Interrupts, Terminated
from logpi.training.plan import Plan


class MemberRun(NamedTuple):
    """One of the runs: its plan, and what records it."""

    plan: Plan
    recorder: Recorder

    @property
    def has_next(self) -> bool:
        """Whether it has another iteration to make."""
        return self.plan.has_room(self.recorder.progress.steps)

    def next_call(self, most: int) -> CallBudget:
        """How far it goes in the next call: not at all where it has come to its end."""
        return self.plan.next_call(self.recorder.progress.steps, most if self.has_next else 0)

    def record(self, infos: list[Info], carry: Callable[[], Carry], assess: StartEvaluation) -> None:
        """What a call made of it."""
        before = self.recorder.progress.steps
        steps = before + sum(int(info["steps"]) for info in infos)
        due = self.plan.evaluations_due(steps) > self.plan.evaluations_due(before)
        awaited = start_evaluation(assess, carry().state.policy, infos) if due else None
        kept = lambda: ResumeState(carry(), {})
        self.recorder.record(infos, PendingRows(infos, kept, awaited).evaluation(), kept)


def train_many(
    plans: Sequence[Plan], directories: Sequence[RunDirectory], reporter: Reporter, stack: ExitStack
) -> list[Run]:
    """Make runs that differ in seeds and numbers alone, side by side; each leaves what it leaves on its own."""
    open_recorder = lambda plan, place: stack.enter_context(Recorder(place, plan.title, [], plan.checkpoint_seconds))
    members = [MemberRun(p, open_recorder(p, place)) for p, place in zip(plans, directories, strict=True)]
    stop = stack.enter_context(Interrupts())
    assess = make_evaluation_starter(plans[0], reporter, stack)
    started = time.perf_counter()
    algorithms = [plan.algorithm for plan in plans]
    networks = tree_stack([(plan.policy, plan.critic) for plan in plans])
    keys = jnp.stack([plan.key for plan in plans])
    carry = init_many(algorithms, plans[0].environment, networks, keys)
    for i, member in enumerate(members):
        member.recorder.begin(Progress(), lambda i=i: ResumeState(tree_index(carry, i), {}))
    loop = VectorizedLoop(algorithms, plans[0].environment, carry)
    for member in members:
        member.recorder.compile_seconds = time.perf_counter() - started
    carry = _loop(members, carry, loop, assess, stop, reporter)
    status = "interrupted" if stop.requested else "done"
    summaries = [member.recorder.finish(status) for member in members]
    if stop.requested:
        raise SystemExit(TERMINATED) if stop.requested is Terminated else KeyboardInterrupt
    last = [tree_index(carry, i).state for i in range(len(members))]
    parts = zip(last, members, summaries, directories, strict=True)
    return [Run(s.policy, s.critic, m.recorder.rows, summary, d.path) for s, m, summary, d in parts]


def _loop(
    members: list[MemberRun],
    carry: Carry,
    loop: VectorizedLoop,
    assess: StartEvaluation,
    stop: Interrupts,
    reporter: Reporter,
) -> Carry:
    """Call after call, until every one has come to its end."""
    pace = CallLength(min(TARGET_SECONDS, members[0].plan.checkpoint_seconds))
    while not stop.requested and any(member.has_next for member in members):
        for member in members:
            member.recorder.invalidate(True)
        started = time.perf_counter()
        carry, infos = loop.run(carry, [member.next_call(pace.iterations) for member in members])
        seconds = time.perf_counter() - started
        pace.update(seconds, max(map(len, infos)))
        for i, (member, made) in enumerate(zip(members, infos, strict=True)):
            member.record(made, lambda i=i, here=carry: tree_index(here, i), assess)
        reporter.record(_mean_metrics(members, infos, seconds))
    return carry


def _mean_metrics(members: list[MemberRun], infos: list[list[Info]], seconds: float) -> dict[str, Any]:
    """What there is to see of a call: means over the members."""
    last = [member.recorder.rows[-1] for member in members]
    mean = lambda name: float(np.mean([row[name] for row in last if row.get(name) is not None] or [np.nan]))
    made = sum(int(info["steps"]) for rows in infos for info in rows)
    steps = sum(member.recorder.progress.steps for member in members)
    figures = {name: mean(name) for name in ("return_mean", "kl", "entropy")}
    return figures | {"steps": steps, "steps_per_second": made / seconds}


def tree_stack(trees: Sequence[PyTree]) -> PyTree:
    """Trees of the same structure as one, their arrays stacked."""
    stack = lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0]
    return jax.tree.map(stack, *trees)


def tree_index(tree: PyTree, i: int) -> PyTree:
    """The i-th of stacked trees, on one device."""
    return jax.tree.map(lambda x: jax.device_put(x[i], jax.devices()[0]) if eqx.is_array(x) else x, tree)
