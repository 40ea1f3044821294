"""Worker processes that own environments and a copy of the policy, and speak to the learner once a rollout."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle
import numpy as np

from logpi.core.numpy_trees import tree_map
from logpi.core.processes import ignore_sigint
from logpi.environments.protocol import SteppableCopies
from logpi.errors import EnvironmentFailed, LogpiError
from logpi.rollout.episode_replay import EpisodeSnapshot, snapshot_shard
from logpi.rollout.workers.messages import EnvironmentShard, WorkerSetup, WorkerStatus

POLL_SECONDS, GRACE_SECONDS = 0.2, 5.0  # seconds: between two looks at those who work; to end by oneself
ENTRY = "from logpi.rollout.workers.worker import main; main()"
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}


@dataclass
class WorkerHandle:
    """A worker, as seen by the process that started it."""

    shard: EnvironmentShard
    process: subprocess.Popen
    connection: Connection
    channel: socket.socket
    lifeline: socket.socket
    request: tuple[str, tuple[Any, ...]] = ("", ())
    last_reply: float = 0.0
    heartbeat: int = 0

    @property
    def columns(self) -> slice:
        """Its environments among all."""
        return slice(self.shard.first, self.shard.first + self.shard.count)


class WorkerPool:
    """N copies of a Gymnasium environment shared out over processes, which collect whole rollouts.

    Copies are seeded by their number among all, so what they meet does not depend on how many processes there are.
    Processes are started afresh (no fork), end with the one that started them, and hold no JAX.
    """

    def __init__(self, one: SteppableCopies, workers: int, restarts: int = 0, step_timeout: float = 600.0):
        """Start them; `one` is the environment that copies are made of.

        - `restarts`: how often a copy that raises, or hangs or dies with its process, may be made anew.
        - `step_timeout`: an environment hangs that has made no step for so many seconds.
        """
        self.spec, self.restarts, self._timeout = one.spec, restarts, step_timeout
        self._setup: tuple[WorkerSetup, int] | None = None
        self._heartbeats = np.zeros(workers, np.int64)
        self._seed, self._lost = 0, 0
        n = self.spec.num_envs
        bounds = [n * k // workers for k in range(workers + 1)]
        shares = [(a, b - a) for a, b in itertools.pairwise(bounds)]
        self._handles = [
            spawn_worker(EnvironmentShard(_shard_factory(one, *share), *share, n, restarts)) for share in shares
        ]
        self._statuses: list[WorkerStatus] = [WorkerStatus(None, np.zeros(count, np.int64), 0) for _, count in shares]

    @property
    def workers(self) -> int:
        """How many processes."""
        return len(self._handles)

    @property
    def restarted(self) -> int:
        """How many copies had to be made anew so far."""
        return self._lost + sum(stand.restarted for stand in self._statuses)

    def setup(self, told: WorkerSetup, descriptor: int, beats: np.ndarray) -> None:
        """Tell everyone how they act and where they write. They may still be starting: nobody answers."""
        self._setup, self._heartbeats = (told, descriptor), beats
        for member in self._handles:
            self._send_setup(member)

    def start(self, seed: int, which: int = 0) -> None:
        """Begin a rollout with the weights and noise of a set of arrays, into its rows, and return at once."""
        self._request_all("collect", (seed, which))

    @property
    def done(self) -> bool:
        """Whether everyone has answered, or ended, so that `finish` has nobody to wait for."""
        return len(wait([member.connection for member in self._handles], 0)) == self.workers

    def finish(self) -> None:
        """Wait until the rollout is done."""
        self._statuses = self._replies()
        if self.restarted > self.restarts:
            raise EnvironmentFailed(
                f"copies of {self.spec.name} had to be made anew {self.restarted} times; allowed: {self.restarts}"
            )

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere, in the midst of a run."""
        self._seed, self._statuses = seed, self._request_and_wait("begin", (seed, None))

    def restart(self, seed: int, episode: np.ndarray) -> Any:
        """Begin the given episode of each environment under this seed, as if those before it had been played."""
        self._seed = seed
        for member in self._handles:
            _request(member, "begin", (seed, episode[member.columns]))
        self._statuses = self._replies()
        return self.obs

    def resume(self, kept: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Bring the environments back to where they stood: which of them began a new episode instead."""
        self._seed = seed
        for member in self._handles:
            _request(member, "resume", (snapshot_shard(kept, member.columns), seed))
        answers = self._replies()
        self._statuses = [stand for stand, _ in answers]
        return np.concatenate([lost for _, lost in answers])

    @property
    def obs(self) -> Any:
        """What the environments show."""
        return _concatenate([stand.obs for stand in self._statuses])

    @property
    def episode(self) -> np.ndarray:
        """Which episode under its seed each environment is in."""
        return np.concatenate([stand.episode for stand in self._statuses])

    def close(self) -> None:
        """End the processes."""
        for member in self._handles:
            close_pipes(member)
        until = time.monotonic() + GRACE_SECONDS
        for member in self._handles:
            join_or_kill(member, until)
        if self._setup is not None:
            os.close(self._setup[1])
            self._setup = None

    def _request_and_wait(self, name: str, arguments: tuple[Any, ...]) -> list[Any]:
        self._request_all(name, arguments)
        return self._replies()

    def _request_all(self, name: str, arguments: tuple[Any, ...]) -> None:
        for member in self._handles:
            _request(member, name, arguments)

    def _send_setup(self, member: WorkerHandle) -> None:
        assert self._setup is not None
        told, descriptor = self._setup
        _request(member, "assign", (told, self._handles.index(member)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(member.channel, [b"m"], [descriptor])

    def _replies(self) -> list[Any]:
        """What each worker answers, in order; those that do not answer are replaced as often as they may be."""
        answers: dict[int, Any] = {}
        while len(answers) < self.workers:
            waiting: dict[Any, int] = {m.connection: k for k, m in enumerate(self._handles) if k not in answers}
            for ready in wait(list(waiting), POLL_SECONDS):
                k = waiting[ready]
                try:
                    error, answers[k] = self._handles[k].connection.recv()
                except (EOFError, ConnectionResetError):
                    answers.pop(k, None)
                    self._replace(k, f"ended {_exit_reason(self._handles[k].process)}")
                    continue
                _raise_if_error(error)
            for k in [k for k in waiting.values() if k not in answers and self._hangs(k)]:
                self._replace(k, f"made no step for {self._timeout:g} seconds")
        return [answers[k] for k in range(self.workers)]

    def _hangs(self, k: int) -> bool:
        """Whether a worker that collects has been silent, and its counter of steps has stood still, for too long."""
        member, now = self._handles[k], time.monotonic()
        if member.request[0] != "collect":
            return False
        if self._heartbeats[k] != member.heartbeat:
            member.heartbeat, member.last_reply = int(self._heartbeats[k]), now
        return now - member.last_reply > self._timeout

    def _replace(self, k: int, what: str) -> None:
        """Another worker in the place of one that is lost, with new episodes, asked again what that one was asked."""
        lost, stand = self._handles[k], self._statuses[k]
        lost.process.kill()
        close_pipes(lost)
        join_or_kill(lost, time.monotonic() + GRACE_SECONDS)
        copies = lost.shard
        if self.restarted >= self.restarts:
            last = copies.first + copies.count - 1
            which = f"environment {copies.first}" if copies.count == 1 else f"environments {copies.first} … {last}"
            raise EnvironmentFailed(f"worker {k} of {self.workers}, with {which} of {self.spec.name}, {what}") from None
        self._lost += 1
        self._handles[k] = member = spawn_worker(copies)
        self._send_setup(member)
        _request(member, "begin", (self._seed, stand.episode + 1))
        with contextlib.suppress(EOFError, ConnectionResetError):  # lost, too: seen when it does not answer
            _raise_if_error(member.connection.recv()[0])
        _request(member, *lost.request)


def _shard_factory(environment: SteppableCopies, first: int, count: int) -> Callable[[], SteppableCopies]:
    """The factory of a worker's copies, where there is one: `HostRollout.why_not_parallel` asks before."""
    make = environment.shard(first, count)
    if make is None:
        raise LogpiError(f"{environment.spec.name} has no factory of copies; allowed: workers 0")
    return make


def spawn_worker(copies: EnvironmentShard) -> WorkerHandle:
    """Start a process that makes these copies; it hears no Ctrl-C, which is for the process that starts it."""
    (ours, theirs), (lifeline, held) = socket.socketpair(), socket.socketpair()
    # -P: modules are found where this process finds them (PYTHONPATH below), and not first in the current directory.
    command = [sys.executable, "-P", "-c", ENTRY, str(theirs.fileno()), str(held.fileno())]
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    with ignore_sigint():
        process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(), held.fileno()),
            stdin=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
        )
    theirs.close()
    held.close()
    member = WorkerHandle(copies, process, Connection(os.dup(ours.fileno())), ours, lifeline)
    member.connection.send_bytes(cloudpickle.dumps(copies))
    return member


def _request(member: WorkerHandle, name: str, arguments: tuple[Any, ...]) -> None:
    """Tell a worker what to do. Whether it still lives is seen when it does not answer."""
    member.request, member.last_reply = (name, arguments), time.monotonic()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        member.connection.send((name, arguments))


def _raise_if_error(error: Exception | None) -> None:
    if error is not None:
        raise error


def close_pipes(member: WorkerHandle) -> None:
    for end in (member.connection, member.channel, member.lifeline):
        end.close()


def join_or_kill(member: WorkerHandle, until: float) -> None:
    """Wait for a process to end; end it where it does not."""
    try:
        member.process.wait(max(until - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        member.process.kill()
        member.process.wait()


def _exit_reason(process: subprocess.Popen) -> str:
    """How a process ended, in words."""
    code = process.wait(GRACE_SECONDS)
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"


def _concatenate(parts: list[Any]) -> Any:
    return tree_map(lambda *x: np.concatenate(x), *parts)
