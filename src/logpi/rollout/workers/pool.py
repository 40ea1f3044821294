"""Worker processes that own environments and a copy of the policy, and speak to the learner once a rollout."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle
import numpy as np

from logpi.core.numpy_trees import tree_map
from logpi.core.processes import unheard
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.errors import EnvironmentFailed
from logpi.rollout.episode_replay import Kept, share
from logpi.rollout.workers.messages import Assignment, Copies, Stand

LOOK, GRACE = 0.2, 5.0  # seconds: between two looks at those who work; to end by oneself
ENTRY = "from logpi.rollout.workers.worker import main; main()"
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}


@dataclass
class Member:
    """A worker, as seen by the process that started it."""

    copies: Copies
    process: subprocess.Popen
    connection: Connection
    line: socket.socket
    lifeline: socket.socket
    asked: tuple[str, tuple[Any, ...]] = ("", ())
    heard: float = 0.0
    beat: int = 0

    @property
    def mine(self) -> slice:
        """Its environments among all."""
        return slice(self.copies.first, self.copies.first + self.copies.count)


class Crew:
    """N copies of a Gymnasium environment shared out over processes, which collect whole rollouts.

    Copies are seeded by their number among all, so what they meet does not depend on how many processes there are.
    Processes are started afresh (no fork), end with the one that started them, and hold no JAX.
    """

    def __init__(self, one: Gymnasium, workers: int, restarts: int = 0, step_timeout: float = 600.0):
        """Start them; `one` is the environment that copies are made of.

        - `restarts`: how often a copy that raises, or hangs or dies with its process, may be made anew.
        - `step_timeout`: an environment hangs that has made no step for so many seconds.
        """
        assert one.make is not None
        self.spec, self.restarts, self._timeout = one.spec, restarts, step_timeout
        self._assigned: tuple[Assignment, int] | None = None
        self._beats = np.zeros(workers, np.int64)
        self._seed, self._lost = 0, 0
        n = self.spec.num_envs
        bounds = [n * k // workers for k in range(workers + 1)]
        limit = self.spec.time_limit
        shares = [(a, b - a) for a, b in itertools.pairwise(bounds)]
        self._members = [hire(Copies(one.make, self.spec.name, limit, *own, n, restarts)) for own in shares]
        self._stands: list[Stand] = [Stand(None, np.zeros(count, np.int64), 0) for _, count in shares]

    @property
    def workers(self) -> int:
        """How many processes."""
        return len(self._members)

    @property
    def restarted(self) -> int:
        """How many copies had to be made anew so far."""
        return self._lost + sum(stand.restarted for stand in self._stands)

    def assign(self, told: Assignment, descriptor: int, beats: np.ndarray) -> None:
        """Tell everyone how they act and where they write. They may still be starting: nobody answers."""
        self._assigned, self._beats = (told, descriptor), beats
        for member in self._members:
            self._introduce(member)

    def start(self, seed: int, which: int = 0) -> None:
        """Begin a rollout with the weights and noise of a set of arrays, into its rows, and return at once."""
        self._tell("collect", (seed, which))

    @property
    def over(self) -> bool:
        """Whether everyone has answered, or ended, so that `finish` has nobody to wait for."""
        return len(wait([member.connection for member in self._members], 0)) == self.workers

    def finish(self) -> None:
        """Wait until the rollout is done."""
        self._stands = self._answers()
        if self.restarted > self.restarts:
            raise EnvironmentFailed(
                f"copies of {self.spec.name} had to be made anew {self.restarted} times; allowed: {self.restarts}"
            )

    def begin(self, seed: int) -> None:
        """Begin new episodes everywhere, in the midst of a run."""
        self._seed, self._stands = seed, self._all("begin", (seed, None))

    def restart(self, seed: int, episode: np.ndarray) -> Any:
        """Begin the given episode of each environment under this seed, as if those before it had been played."""
        self._seed = seed
        for member in self._members:
            _ask(member, "begin", (seed, episode[member.mine]))
        self._stands = self._answers()
        return self.obs

    def resume(self, kept: Kept, seed: int) -> np.ndarray:
        """Bring the environments back to where they stood: which of them began a new episode instead."""
        self._seed = seed
        for member in self._members:
            _ask(member, "resume", (share(kept, member.mine), seed))
        answers = self._answers()
        self._stands = [stand for stand, _ in answers]
        return np.concatenate([lost for _, lost in answers])

    @property
    def obs(self) -> Any:
        """What the environments show."""
        return _joined([stand.obs for stand in self._stands])

    @property
    def episode(self) -> np.ndarray:
        """Which episode under its seed each environment is in."""
        return np.concatenate([stand.episode for stand in self._stands])

    def close(self) -> None:
        """End the processes."""
        for member in self._members:
            _dismiss(member)
        until = time.monotonic() + GRACE
        for member in self._members:
            _bury(member, until)
        if self._assigned is not None:
            os.close(self._assigned[1])
            self._assigned = None

    def _all(self, name: str, arguments: tuple[Any, ...]) -> list[Any]:
        self._tell(name, arguments)
        return self._answers()

    def _tell(self, name: str, arguments: tuple[Any, ...]) -> None:
        for member in self._members:
            _ask(member, name, arguments)

    def _introduce(self, member: Member) -> None:
        assert self._assigned is not None
        told, descriptor = self._assigned
        _ask(member, "assign", (told, self._members.index(member)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(member.line, [b"m"], [descriptor])

    def _answers(self) -> list[Any]:
        """What each worker answers, in order; those that do not answer are replaced as often as they may be."""
        answers: dict[int, Any] = {}
        while len(answers) < self.workers:
            waiting: dict[Any, int] = {m.connection: k for k, m in enumerate(self._members) if k not in answers}
            for ready in wait(list(waiting), LOOK):
                k = waiting[ready]
                try:
                    error, answers[k] = self._members[k].connection.recv()
                except (EOFError, ConnectionResetError):
                    answers.pop(k, None)
                    self._replace(k, f"ended {_how(self._members[k].process)}")
                    continue
                _raise(error)
            for k in [k for k in waiting.values() if k not in answers and self._hangs(k)]:
                self._replace(k, f"made no step for {self._timeout:g} seconds")
        return [answers[k] for k in range(self.workers)]

    def _hangs(self, k: int) -> bool:
        """Whether a worker that collects has been silent, and its counter of steps has stood still, for too long."""
        member, now = self._members[k], time.monotonic()
        if member.asked[0] != "collect":
            return False
        if self._beats[k] != member.beat:
            member.beat, member.heard = int(self._beats[k]), now
        return now - member.heard > self._timeout

    def _replace(self, k: int, what: str) -> None:
        """Another worker in the place of one that is lost, with new episodes, asked again what that one was asked."""
        lost, stand = self._members[k], self._stands[k]
        lost.process.kill()
        _dismiss(lost)
        _bury(lost, time.monotonic() + GRACE)
        copies = lost.copies
        if self.restarted >= self.restarts:
            last = copies.first + copies.count - 1
            which = f"environment {copies.first}" if copies.count == 1 else f"environments {copies.first} … {last}"
            raise EnvironmentFailed(f"worker {k} of {self.workers}, with {which} of {self.spec.name}, {what}") from None
        self._lost += 1
        self._members[k] = member = hire(copies)
        self._introduce(member)
        _ask(member, "begin", (self._seed, stand.episode + 1))
        with contextlib.suppress(EOFError, ConnectionResetError):  # lost, too: seen when it does not answer
            _raise(member.connection.recv()[0])
        _ask(member, *lost.asked)


def hire(copies: Copies) -> Member:
    """Start a process that makes these copies; it hears no Ctrl-C, which is for the process that starts it."""
    (ours, theirs), (lifeline, held) = socket.socketpair(), socket.socketpair()
    command = [sys.executable, "-c", ENTRY, str(theirs.fileno()), str(held.fileno())]
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    with unheard():
        process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(), held.fileno()),
            stdin=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
        )
    theirs.close()
    held.close()
    member = Member(copies, process, Connection(os.dup(ours.fileno())), ours, lifeline)
    member.connection.send_bytes(cloudpickle.dumps(copies))
    return member


def _ask(member: Member, name: str, arguments: tuple[Any, ...]) -> None:
    """Tell a worker what to do. Whether it still lives is seen when it does not answer."""
    member.asked, member.heard = (name, arguments), time.monotonic()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        member.connection.send((name, arguments))


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _dismiss(member: Member) -> None:
    for end in (member.connection, member.line, member.lifeline):
        end.close()


def _bury(member: Member, until: float) -> None:
    """Wait for a process to end; end it where it does not."""
    try:
        member.process.wait(max(until - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        member.process.kill()
        member.process.wait()


def _how(process: subprocess.Popen) -> str:
    """How a process ended, in words."""
    code = process.wait(GRACE)
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"


def _joined(parts: list[Any]) -> Any:
    return tree_map(lambda *x: np.concatenate(x), *parts)
