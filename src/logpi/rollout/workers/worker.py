"""A worker: a process that owns some of the environments and a copy of the policy. It never imports JAX.

`pool.WorkerPool` starts it with two sockets. One carries requests and replies, one of each per rollout. Nothing is
sent over the other: it closes when the process that started the worker ends, however that ends, and ends the worker.
"""

import contextlib
import functools
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from logpi.core.collection import Steps
from logpi.core.output import ForgivingStream
from logpi.errors import FAILURES, EnvironmentFailed, LogpiError, reason_of
from logpi.numpy_policy.program import bind_program
from logpi.rollout.collector import Collector, Shard
from logpi.rollout.episode_replay import EpisodeSnapshot
from logpi.rollout.workers import shared_memory
from logpi.rollout.workers.messages import EnvironmentShard, EnvironmentsNotMade, WorkerSetup, WorkerStatus

Work = Callable[[str, tuple], Any]


class Worker:
    """The requests that a worker answers, each a method by its name."""

    def __init__(self, shard: EnvironmentShard):
        """Make the environments of a shard."""
        self._environment, self._shard = shard.make(), shard
        self._environment.restarts = shard.restarts

    def assign(self, setup: WorkerSetup, number: int, descriptor: int) -> None:
        """Prepare for rollouts as worker `number`; the descriptor is of the shared memory."""
        shard, arrays = self._shard, shared_memory.views(descriptor, setup.places)
        columns = Shard(shard.first, shard.count, shard.total, setup.block)
        # Noise is [T, N, ...] for windows and [k, limit, N, ...] for whole episodes.
        axes = (slice(None),) if isinstance(setup.collect, Steps) else (slice(None), slice(None))
        self._draws = [[x[(*axes, columns.columns)] for x in each["draws"]] for each in arrays["sets"]]
        self._weights = [each["weights"] for each in arrays["sets"]]
        self._collector = Collector(
            self._environment,
            setup.collect,
            columns,
            functools.partial(bind_program, setup.program),
            setup.store,
            [each["rows"] for each in arrays["sets"]],
            heartbeat=arrays["heartbeats"][number : number + 1],
        )

    def collect(self, seed: int, which: int) -> WorkerStatus:
        """Collect one rollout with the weights and noise of buffer set `which`, into its rows."""
        self._collector.start(self._weights[which], self._draws[which], seed, which)
        return self._status()

    def begin(self, seed: int, episode: np.ndarray | None) -> WorkerStatus:
        """Begin new episodes in all environments of the shard, or the given ones."""
        self._collector.begin(seed, episode)
        return self._status()

    def resume(self, saved: EpisodeSnapshot, seed: int) -> tuple[WorkerStatus, np.ndarray]:
        """Replay unfinished episodes; returns (status, bool [n], True where a new episode began instead)."""
        not_restored = self._collector.resume(saved, seed)
        return self._status(), not_restored

    def _status(self) -> WorkerStatus:
        return WorkerStatus(self._collector.obs, self._environment.episode, self._environment.restarted)


def main() -> None:
    """Answer requests until the process that sends them closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = ForgivingStream(sys.stdout)  # environments print, also where nobody reads any more
    _yield_to_learner()
    channel, lifeline = (int(word) for word in sys.argv[1:3])
    threading.Thread(target=_exit_with_parent, args=(lifeline,), daemon=True).start()
    line = socket.socket(fileno=channel)
    connection = Connection(os.dup(channel))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        work = _make_worker(connection.recv_bytes())
        while True:
            name, arguments = connection.recv()
            descriptors = socket.recv_fds(line, 1, 1)[1] if name == "assign" else []
            answer, error = None, None
            try:
                answer = work(name, (*arguments, *descriptors))
            except FAILURES as raised:
                error = _to_logpi_error(raised)
            if name != "assign":
                connection.send((error, answer))
            elif error is not None:
                work = _raise_always(error)
            for descriptor in descriptors:
                os.close(descriptor)


def _make_worker(shard: bytes) -> Work:
    """Make the environments; returns (request, arguments) ↦ reply, which raises if they could not be made."""
    try:
        worker = Worker(pickle.loads(shard))
    except FAILURES as raised:
        error = _to_logpi_error(raised)
        text = f"{error}, when it made its environments; try workers 0"
        return _raise_always(EnvironmentsNotMade(text, error.trace if isinstance(error, EnvironmentFailed) else ""))
    return lambda name, arguments: getattr(worker, name)(*arguments)


def _raise_always(error: LogpiError) -> Work:
    """Answer every request with an earlier error."""

    def refuse(name: str, arguments: tuple) -> None:
        raise error

    return refuse


def _to_logpi_error(error: BaseException) -> LogpiError:
    """Convert to an error that another process can unpickle."""
    if isinstance(error, LogpiError):
        return error
    what = reason_of(error)
    return EnvironmentFailed(f"a worker raised {type(error).__name__}: {what}", traceback.format_exc())


def _yield_to_learner() -> None:
    """Run as a batch process (Linux): the learner can then message all workers before the first one preempts it."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _exit_with_parent(lifeline: int) -> None:
    """End this process when the process at the other end of the lifeline has ended."""
    while os.read(lifeline, 1):
        pass
    os._exit(1)
