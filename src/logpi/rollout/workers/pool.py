"""Worker processes that own environments and a copy of the policy; one request and one reply per rollout."""

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

from logpi.core.collection import Collect
from logpi.core.numpy_trees import HostTree, tree_map
from logpi.core.processes import ignore_sigint
from logpi.environments.protocol import SteppableCopies
from logpi.errors import EnvironmentFailed, LogpiError
from logpi.numpy_policy.program import Program
from logpi.rollout.backends import Rows
from logpi.rollout.episode_replay import EpisodeSnapshot, snapshot_shard
from logpi.rollout.observations import Store
from logpi.rollout.workers import shared_memory
from logpi.rollout.workers.messages import EnvironmentShard, WorkerSetup, WorkerStatus

POLL_SECONDS = 0.2  # between two checks for workers that hang
GRACE_SECONDS = 5.0  # for a process to end by itself before it is killed
ENTRY = "from logpi.rollout.workers.worker import main; main()"
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}


@dataclass
class WorkerHandle:
    """A worker, as seen by the process that started it.

    - `connection`: carries requests and replies; `channel`: the same socket, for passing file descriptors.
    - `lifeline`: closes with this process, which ends the worker.
    - `request`: the last request sent, repeated to a replacement.
    - `last_reply`: time of the last sign of progress; `heartbeat`: the step counter as last seen.
    """

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
        """The worker's environments among all."""
        return slice(self.shard.first, self.shard.first + self.shard.count)


class WorkerPool:
    """A rollout backend of worker processes, each with some copies of an environment and the policy as NumPy lines.

    Workers collect whole rollouts into shared memory; there is one request and one reply per worker and rollout.
    Copies are seeded by their number among all, so the number of processes changes no bit. Processes are started
    afresh (no fork), end with the one that started them, and import no JAX.
    """

    def __init__(self, environment: SteppableCopies, workers: int, restarts: int = 0, step_timeout: float = 600.0):
        """Start the processes, which make copies of `environment`.

        - `restarts`: how often a copy that raises, or hangs or dies with its process, may be replaced.
        - `step_timeout`: seconds without a step after which a worker hangs.
        """
        self.spec, self.restarts, self._timeout = environment.spec, restarts, step_timeout
        self._setup: tuple[WorkerSetup, int] | None = None  # with the descriptor of the shared memory
        self._sets: list[dict[str, Any]] = []
        self._heartbeats = np.zeros(workers, np.int64)
        self._seed, self._replaced = 0, 0
        n = self.spec.num_envs
        bounds = [n * k // workers for k in range(workers + 1)]
        shares = [(a, b - a) for a, b in itertools.pairwise(bounds)]
        self._handles = [
            spawn_worker(EnvironmentShard(_shard_factory(environment, *share), *share, n, restarts)) for share in shares
        ]
        self._statuses: list[WorkerStatus] = [WorkerStatus(None, np.zeros(count, np.int64), 0) for _, count in shares]

    @property
    def workers(self) -> int:
        """Number of processes."""
        return len(self._handles)

    @property
    def restarted(self) -> int:
        """Number of copies and workers that were replaced so far."""
        return self._replaced + sum(status.restarted for status in self._statuses)

    @property
    def obs(self) -> HostTree:
        """Current observations [N, ...], the next to be acted on."""
        return _concatenate([status.obs for status in self._statuses])

    @property
    def episode(self) -> np.ndarray:
        """Index of each environment's current episode under its seed, int [N]."""
        return np.concatenate([status.episode for status in self._statuses])

    def setup(
        self, program: Program, block: int, collect: Collect, store: type[Store], sets: list[dict[str, Any]]
    ) -> None:
        """Allocate shared memory and tell all workers how to act and where to write, before the first rollout.

        Workers may still be starting: they do not reply.

        - `program`, `block`: the policy, and how many environments one call of it acts for.
        - `sets`: examples of each buffer set: `rows` to write, `draws` (noise) and `weights` to read.
        """
        heartbeats = np.zeros(self.workers, np.int64)
        places, size = shared_memory.layout({"sets": sets, "heartbeats": heartbeats})
        descriptor = shared_memory.allocate(size)
        arrays = shared_memory.views(descriptor, places)
        self._sets, self._heartbeats = arrays["sets"], arrays["heartbeats"]
        self._setup = WorkerSetup(program, block, collect, store, places), descriptor
        for handle in self._handles:
            self._send_setup(handle)

    def start(self, weights: list[Any], draws: list[np.ndarray], seed: int, which: int = 0) -> None:
        """Start a rollout with these weights and noise into buffer set `which`, and return at once."""
        shared = self._sets[which]
        for buffer, x in zip([*shared["draws"], *shared["weights"]], [*draws, *weights], strict=True):
            buffer[...] = np.asarray(x)
        self._request_all("collect", (seed, which))

    def done(self) -> bool:
        """Tell whether all workers have replied or ended, so that `finish` returns without waiting."""
        return len(wait([handle.connection for handle in self._handles], 0)) == self.workers

    def finish(self) -> None:
        """Wait until the rollout is complete. Raises EnvironmentFailed for more failures than `restarts`."""
        self._statuses = self._replies()
        if self.restarted > self.restarts:
            raise EnvironmentFailed(
                f"copies of {self.spec.name} had to be made anew {self.restarted} times; allowed: {self.restarts}"
            )

    def rows(self, which: int) -> Rows:
        """Return the shared arrays of a buffer set."""
        return self._sets[which]["rows"]

    def begin(self, seed: int) -> None:
        """Begin new episodes in all environments."""
        self._seed = seed
        self._request_all("begin", (seed, None))
        self._statuses = self._replies()

    def resume(self, saved: EpisodeSnapshot, seed: int) -> np.ndarray:
        """Replay the unfinished episodes of a snapshot; returns bool [N], True where a new episode began instead."""
        self._seed = seed
        for handle in self._handles:
            _request(handle, "resume", (snapshot_shard(saved, handle.columns), seed))
        replies = self._replies()
        self._statuses = [status for status, _ in replies]
        return np.concatenate([not_restored for _, not_restored in replies])

    def close(self) -> None:
        """End the processes and free the shared memory."""
        for handle in self._handles:
            close_pipes(handle)
        deadline = time.monotonic() + GRACE_SECONDS
        for handle in self._handles:
            join_or_kill(handle, deadline)
        if self._setup is not None:
            os.close(self._setup[1])
            self._setup = None

    def _request_all(self, name: str, arguments: tuple[Any, ...]) -> None:
        for handle in self._handles:
            _request(handle, name, arguments)

    def _send_setup(self, handle: WorkerHandle) -> None:
        """Send how to act and where to write, and the descriptor of the shared memory beside it."""
        assert self._setup is not None
        setup, descriptor = self._setup
        _request(handle, "assign", (setup, self._handles.index(handle)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(handle.channel, [b"m"], [descriptor])

    def _replies(self) -> list[Any]:
        """Wait for one reply of each worker and return them in order of the workers.

        A worker that ends without a reply, or hangs, is replaced while `restarts` allows it. Its replacement gets the
        same request again, so the loop goes on until every worker, old or new, has replied. An error that a worker
        sends as its reply is raised here.
        """
        replies: dict[int, Any] = {}
        while len(replies) < self.workers:
            # Mapped anew in each round: a replacement has another connection.
            pending: dict[Any, int] = {h.connection: k for k, h in enumerate(self._handles) if k not in replies}
            for connection in wait(list(pending), POLL_SECONDS):
                k = pending[connection]
                try:
                    error, replies[k] = self._handles[k].connection.recv()
                except (EOFError, ConnectionResetError):
                    replies.pop(k, None)
                    self._replace(k, f"ended {_exit_reason(self._handles[k].process)}")
                    continue
                _raise_if_error(error)
            for k in [k for k in pending.values() if k not in replies and self._hangs(k)]:
                self._replace(k, f"made no step for {self._timeout:g} seconds")
        return [replies[k] for k in range(self.workers)]

    def _hangs(self, k: int) -> bool:
        """Tell whether worker k is collecting and its step counter has not changed for longer than the timeout."""
        handle, now = self._handles[k], time.monotonic()
        if handle.request[0] != "collect":
            return False
        if self._heartbeats[k] != handle.heartbeat:
            handle.heartbeat, handle.last_reply = int(self._heartbeats[k]), now
        return now - handle.last_reply > self._timeout

    def _replace(self, k: int, reason: str) -> None:
        """Replace worker k by a new process, which begins the next episodes and gets the same request again.

        Raises EnvironmentFailed if `restarts` are used up.
        """
        failed, status = self._handles[k], self._statuses[k]
        failed.process.kill()
        close_pipes(failed)
        join_or_kill(failed, time.monotonic() + GRACE_SECONDS)
        shard = failed.shard
        if self.restarted >= self.restarts:
            last = shard.first + shard.count - 1
            which = f"environment {shard.first}" if shard.count == 1 else f"environments {shard.first} … {last}"
            raise EnvironmentFailed(
                f"worker {k} of {self.workers}, with {which} of {self.spec.name}, {reason}"
            ) from None
        self._replaced += 1
        self._handles[k] = handle = spawn_worker(shard)
        self._send_setup(handle)
        _request(handle, "begin", (self._seed, status.episode + 1))
        with contextlib.suppress(EOFError, ConnectionResetError):  # it ended, too: noticed when it does not reply
            _raise_if_error(handle.connection.recv()[0])
        _request(handle, *failed.request)


def _shard_factory(environment: SteppableCopies, first: int, count: int) -> Callable[[], SteppableCopies]:
    """Return the factory of a worker's copies; `HostRollout.why_not_parallel` has made sure that there is one."""
    make = environment.shard(first, count)
    if make is None:
        raise LogpiError(f"{environment.spec.name} has no factory of copies; allowed: workers 0")
    return make


def spawn_worker(shard: EnvironmentShard) -> WorkerHandle:
    """Start a process that makes these copies; it ignores Ctrl-C, which is for the process that starts it."""
    (channel, worker_channel), (lifeline, worker_lifeline) = socket.socketpair(), socket.socketpair()
    # -P: modules are found where this process finds them (PYTHONPATH below), and not first in the current directory.
    command = [sys.executable, "-P", "-c", ENTRY, str(worker_channel.fileno()), str(worker_lifeline.fileno())]
    path = os.pathsep.join(directory or os.getcwd() for directory in sys.path)
    with ignore_sigint():
        process = subprocess.Popen(
            command,
            pass_fds=(worker_channel.fileno(), worker_lifeline.fileno()),
            stdin=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
        )
    worker_channel.close()
    worker_lifeline.close()
    handle = WorkerHandle(shard, process, Connection(os.dup(channel.fileno())), channel, lifeline)
    handle.connection.send_bytes(cloudpickle.dumps(shard))
    return handle


def _request(handle: WorkerHandle, name: str, arguments: tuple[Any, ...]) -> None:
    """Send a request. A worker that has ended is noticed when it does not reply."""
    handle.request, handle.last_reply = (name, arguments), time.monotonic()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        handle.connection.send((name, arguments))


def _raise_if_error(error: Exception | None) -> None:
    if error is not None:
        raise error


def close_pipes(handle: WorkerHandle) -> None:
    """Close this process's ends of a worker's sockets, which ends the worker."""
    for end in (handle.connection, handle.channel, handle.lifeline):
        end.close()


def join_or_kill(handle: WorkerHandle, deadline: float) -> None:
    """Wait for a process to end until `deadline` (monotonic seconds), then kill it."""
    try:
        handle.process.wait(max(deadline - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        handle.process.kill()
        handle.process.wait()


def _exit_reason(process: subprocess.Popen) -> str:
    """The exit status or signal of a process, in words."""
    code = process.wait(GRACE_SECONDS)
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"


def _concatenate(parts: list[HostTree]) -> HostTree:
    return tree_map(lambda *x: np.concatenate(x), *parts)
