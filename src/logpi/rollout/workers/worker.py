"""A worker: a process that owns some of the environments and a copy of the policy. It never imports JAX.

It is started by `crew.Crew` with two sockets: over one it is told what to do and answers, once a rollout; the other
says nothing, and closes when the process that started it ends, however that ends: then the worker ends, too.
"""

import contextlib
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
from logpi.errors import EnvironmentFailed, LogpiError
from logpi.numpy_policy.program import bind_program
from logpi.rollout.buffers import observation_fields
from logpi.rollout.collector import Collector, Shard
from logpi.rollout.episode_replay import EpisodeSnapshot
from logpi.rollout.workers import shared_memory
from logpi.rollout.workers.messages import EnvironmentShard, WorkerSetup, WorkerStatus

Work = Callable[[str, tuple], Any]


class Worker:
    """What a worker does, by the name that it is told."""

    def __init__(self, copies: EnvironmentShard):
        """Make the environments."""
        self._environment = copies.make()
        self._environment.restarts = copies.restarts
        self._copies = copies

    def assign(self, told: WorkerSetup, number: int, descriptor: int) -> None:
        """Take on a share of each rollout to come, as worker `number`; the descriptor is of shared memory."""
        copies = self._copies
        arrays = shared_memory.views(descriptor, told.places)
        window = slice(copies.first, copies.first + copies.count)
        mine = (slice(None), window) if isinstance(told.collect, Steps) else (slice(None), slice(None), window)
        self._program, self._sets = told.program, arrays["sets"]
        self._draws = [[x[mine] for x in each["draws"]] for each in self._sets]
        self._stores = [told.store(observation_fields(each["rows"])) for each in self._sets]
        self._collector = Collector(
            self._environment, told.collect, Shard(copies.first, copies.count, copies.total, told.block)
        )
        self._collector.set_heartbeat(arrays["beats"][number : number + 1])

    def collect(self, seed: int, which: int) -> WorkerStatus:
        """One rollout with the weights and noise of one of the sets of arrays, into its rows."""
        act, rows = bind_program(self._program, self._sets[which]["weights"]), self._sets[which]["rows"]
        self._collector.collect(act, self._draws[which], seed, rows, self._stores[which])
        return self._status()

    def begin(self, seed: int, episode: np.ndarray | None) -> WorkerStatus:
        """Begin new episodes everywhere, or these, in the midst of a run."""
        self._collector.begin(seed, episode)
        return self._status()

    def resume(self, kept: EpisodeSnapshot, seed: int) -> tuple[WorkerStatus, np.ndarray]:
        """Bring the environments back to where they stood; which of them began a new episode instead."""
        lost = self._collector.resume(kept, seed)
        return self._status(), lost

    def _status(self) -> WorkerStatus:
        return WorkerStatus(self._collector.obs, self._environment.episode, self._environment.restarted)


def main() -> None:
    """Do what one is told until there is nobody to tell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
            except Exception as raised:
                error = _to_logpi_error(raised)
            if name != "assign":
                connection.send((error, answer))
            elif error is not None:
                work = _raise_always(error)
            for descriptor in descriptors:
                os.close(descriptor)


def _make_worker(copies: bytes) -> Work:
    """What does the work that is named, once the environments are made."""
    try:
        worker = Worker(pickle.loads(copies))
    except Exception as raised:
        told = _to_logpi_error(raised)
        return _raise_always(
            EnvironmentFailed(f"{told}, when it made its environments; try workers 0", getattr(told, "trace", ""))
        )
    return lambda name, arguments: getattr(worker, name)(*arguments)


def _raise_always(error: LogpiError) -> Work:
    """Raises what went wrong before, whatever is asked."""

    def refuse(name: str, arguments: tuple) -> None:
        raise error

    return refuse


def _to_logpi_error(error: Exception) -> LogpiError:
    """What can be said of it in another process."""
    if isinstance(error, LogpiError):
        return error
    what = " ".join(str(error).split())
    return EnvironmentFailed(f"a worker raised {type(error).__name__}: {what}", traceback.format_exc())


def _yield_to_learner() -> None:
    """When told what to do, let the one who tells go on: the others are to be told, too."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _exit_with_parent(lifeline: int) -> None:
    """End this process when the one that holds the other end has ended."""
    while os.read(lifeline, 1):
        pass
    os._exit(1)
