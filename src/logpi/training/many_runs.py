"""The driver of many runs that train as one compiled program, with a directory for each."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from logpi.environments.protocol import is_jax_environment
from logpi.loop.call_length import TARGET_SECONDS, CallLength
from logpi.loop.iteration import Carry, Info
from logpi.loop.protocol import CallBudget
from logpi.loop.vectorized import VectorizedLoop, idle_member_devices_message, init_many
from logpi.runs.directory import RunDirectory
from logpi.runs.progress import Progress
from logpi.runs.recorder import Recorder, ResumeState
from logpi.runs.run import Run
from logpi.training.console import Reporter
from logpi.training.driver import StartEvaluation, make_evaluation_starter, raise_request, start_evaluation
from logpi.training.evaluation_queue import PendingRows
from logpi.training.interrupts import Interrupts
from logpi.training.plan import Plan


class MemberRun(NamedTuple):
    """One of the runs: its plan and its recorder."""

    plan: Plan
    recorder: Recorder

    @property
    def has_next(self) -> bool:
        """True if another iteration fits in the run's budget."""
        return self.plan.has_room(self.recorder.progress.steps)

    def next_call(self, max_iterations: int) -> CallBudget:
        """Return the budget of the next call: no iteration where the run has come to its end."""
        return self.plan.next_call(self.recorder.progress.steps, max_iterations if self.has_next else 0)

    def record(self, infos: list[Info], carry: Callable[[], Carry], evaluate: StartEvaluation) -> None:
        """Record a call's iterations, after an evaluation if one is due; `carry` gives this run's carry."""
        before = self.recorder.progress.steps
        after = before + sum(int(info["steps"]) for info in infos)
        due = self.plan.evaluations_due(after) > self.plan.evaluations_due(before)
        evaluation = start_evaluation(evaluate, carry().state.policy, infos) if due else None
        resume_state = lambda: ResumeState(carry(), {})
        self.recorder.record(infos, PendingRows(infos, resume_state, evaluation).evaluation(), resume_state)


def train_many(
    plans: Sequence[Plan], directories: Sequence[RunDirectory], reporter: Reporter, stack: ExitStack
) -> list[Run]:
    """Train runs that differ in seeds and hyperparameters alone; each directory holds what a run of its own leaves."""
    topology, environment = plans[0].topology, plans[0].environment
    assert is_jax_environment(environment)  # `sweep` refuses others
    members = [
        MemberRun(plan, stack.enter_context(Recorder(directory, plan.title, [], plan.checkpoint_seconds, topology)))
        for plan, directory in zip(plans, directories, strict=True)
    ]
    interrupts = stack.enter_context(Interrupts(topology))
    evaluate = make_evaluation_starter(plans[0], reporter, stack)
    if message := idle_member_devices_message(len(plans)):
        reporter.log(message)
    started = time.perf_counter()
    algorithms = [plan.algorithm for plan in plans]
    networks = tree_stack([(plan.policy, plan.critic) for plan in plans])
    keys = jnp.stack([plan.key for plan in plans])
    carry = init_many(algorithms, environment, networks, keys)
    for i, member in enumerate(members):
        member.recorder.begin(Progress(), lambda i=i: ResumeState(tree_index(carry, i), {}))
    loop = VectorizedLoop(algorithms, environment, carry)
    for member in members:
        member.recorder.compile_seconds = time.perf_counter() - started
    carry = _drive(members, carry, loop, evaluate, interrupts, reporter)
    request = interrupts.agreed()
    status = "interrupted" if request else "done"
    summaries = [member.recorder.finish(status) for member in members]
    raise_request(request)
    states = [tree_index(carry, i).state for i in range(len(members))]
    parts = zip(states, members, summaries, directories, strict=True)
    return [
        Run(state.policy, state.critic, member.recorder.rows, summary, directory.path)
        for state, member, summary, directory in parts
    ]


def _drive(
    members: list[MemberRun],
    carry: Carry,
    loop: VectorizedLoop,
    evaluate: StartEvaluation,
    interrupts: Interrupts,
    reporter: Reporter,
) -> Carry:
    """Call the loop and record each member's iterations, until every member has spent its budget."""
    topology, checkpoint_seconds = members[0].plan.topology, members[0].plan.checkpoint_seconds
    length = CallLength(min(TARGET_SECONDS, checkpoint_seconds), topology)
    while not interrupts.agreed() and any(member.has_next for member in members):
        for member in members:
            member.recorder.invalidate(True)  # the call donates the carry
        started = time.perf_counter()
        carry, infos = loop.run(carry, [member.next_call(length.iterations) for member in members])
        seconds = time.perf_counter() - started
        length.update(seconds, max(map(len, infos)))
        for i, (member, member_infos) in enumerate(zip(members, infos, strict=True)):
            member.record(member_infos, lambda i=i, carry=carry: tree_index(carry, i), evaluate)
        reporter.record(_mean_metrics(members, infos, seconds))
    return carry


def _mean_metrics(members: list[MemberRun], infos: list[list[Info]], seconds: float) -> dict[str, Any]:
    """Return the members' mean metrics after a call, for the reporter."""
    rows = [member.recorder.rows[-1] for member in members]
    mean = lambda name: float(np.mean([row[name] for row in rows if row.get(name) is not None] or [np.nan]))
    steps_of_call = sum(int(info["steps"]) for member_infos in infos for info in member_infos)
    steps = sum(member.recorder.progress.steps for member in members)
    means = {name: mean(name) for name in ("return_mean", "kl", "entropy")}
    return means | {"steps": steps, "steps_per_second": steps_of_call / seconds}


def tree_stack(trees: Sequence[PyTree]) -> PyTree:
    """Stack the arrays of trees that have the same structure; other leaves are the first tree's."""
    stack = lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0]
    return jax.tree.map(stack, *trees)


def tree_index(tree: PyTree, i: int) -> PyTree:
    """Return the i-th of stacked trees, on the first device."""
    return jax.tree.map(lambda x: jax.device_put(x[i], jax.devices()[0]) if eqx.is_array(x) else x, tree)
