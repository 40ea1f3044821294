"""Decisions of a wall clock or a signal are agreed on by all processes of a run."""

from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from small_runs import TINY, fingerprint, trained

import logpi
from logpi.loop.call_length import CallLength
from logpi.loop.topology import ONE_PROCESS, Topology, current_topology
from logpi.runs.directory import RunDirectory
from logpi.runs.progress import Progress
from logpi.runs.recorder import Recorder, ResumeState
from logpi.training.console import Reporter
from logpi.training.driver import run_training
from logpi.training.interrupts import Interrupts, Terminated
from logpi.training.plan import make_plan


@dataclass(frozen=True)
class TwoProcesses(Topology):
    """A second process that proposes `other` whenever it is asked; notes what this one proposed."""

    num_processes: int = 2
    other: int = 0
    proposals: list = field(default_factory=list)

    def agree(self, value):
        self.proposals.append(value)
        return max(value, self.other)


def test_one_process_agrees_with_itself():
    assert current_topology() == ONE_PROCESS
    assert ONE_PROCESS.agree(7) == 7


def test_calls_are_as_long_as_the_processes_agree_on():
    topology = TwoProcesses(other=3)
    length = CallLength(1.0, topology)
    length.update(2.0, 1)
    assert topology.proposals == [1] and length.iterations == 3


@pytest.mark.parametrize(
    ("own", "other", "agreed"), [(None, 0, None), (None, 2, Terminated), (Terminated, 0, Terminated)]
)
def test_one_signal_stops_all_processes(own, other, agreed):
    interrupts = Interrupts(TwoProcesses(other=other))
    interrupts.requested = own
    assert interrupts.agreed() is agreed
    with interrupts.abortable():
        pass  # no process leaves alone what the others wait for


def test_all_processes_save_a_checkpoint_when_it_is_due_in_one(tmp_path):
    returns = dict.fromkeys(("return_mean", "return_min", "return_max", "length_mean"))
    info = {"steps": 10, "episodes": 0, "rollout_seconds": 0.1, "learn_seconds": 0.1} | returns
    state = lambda: ResumeState({}, {})
    for other, checkpoints in ((0, 1), (1, 2)):
        topology = TwoProcesses(other=other)
        path = tmp_path / str(other)
        path.mkdir()
        with Recorder(RunDirectory(path, {}, print), "a run", [], 1e6, topology) as recorder:
            recorder.begin(Progress(), state)
            recorder.record([dict(info)], None, state)
            assert topology.proposals == [False]
            assert len(list((path / "checkpoints").iterdir())) == checkpoints


def train_with(topology, path):
    """A run of six iterations of this topology."""
    path.mkdir()
    with ExitStack() as stack:
        plan = make_plan("logpi:CartPole-v1", logpi.ppo(**TINY), 6 * 64, (None, None), 0, stack)
        plan = replace(plan, topology=topology, evaluations=0, checkpoint_seconds=1e6)
        return run_training(plan, RunDirectory(path, {}, print), (), Reporter(plan.steps), stack)


def test_a_run_asks_before_each_call_and_after_it_and_learns_the_same(tmp_path):
    """Each call: whether to stop, 0; its length, ≥ 1; whether a checkpoint is due. At the end twice whether to stop."""
    topology = TwoProcesses()
    run = train_with(topology, tmp_path / "two")
    assert fingerprint(run) == fingerprint(trained(tmp_path / "one"))
    *calls, last, status = topology.proposals
    stop, length, checkpoint = calls[::3], calls[1::3], calls[2::3]
    assert {*stop, last, status} == {0} and len(stop) == len(length) == len(checkpoint) > 1
    assert min(length) >= 1 and set(checkpoint) == {False}


def test_a_signal_in_another_process_stops_the_run(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train_with(TwoProcesses(other=1), tmp_path / "two")
    assert not (tmp_path / "two" / "metrics.jsonl").read_text()
