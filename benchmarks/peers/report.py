"""What every peer's script is asked and answers: `python run_PEER.py ENV STEPS SEED ALGORITHM SETTINGS TARGET`.

SETTINGS is `same`, those written here, or `best`, the library's own for CartPole-v1. The answer is one JSON line.
"""

import json
import os
import sys
import time
from typing import Any, NamedTuple

SAME = {
    "environments": 8,
    "steps": 256,
    "epochs": 10,
    "minibatch_size": 64,
    "rate": 3e-4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "norm": 0.5,
    "hidden": (64, 64),
}
RECENT = 20  # finished episodes whose mean return is held against the target


class Asked(NamedTuple):
    """The command line."""

    env: str
    steps: int
    seed: int
    algorithm: str
    settings: str
    target: float

    @property
    def normalized(self) -> bool:
        """Whether observations and rewards are normalized: on MuJoCo's tasks they are."""
        return self.env.startswith(("HalfCheetah", "Hopper", "Walker2d", "Ant"))


def asked() -> Asked:
    """Read the command line; libraries that would take more threads than one are told to take one."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    env, steps, seed, algorithm, settings, target = sys.argv[1:7]
    return Asked(env, int(steps), int(seed), algorithm, settings, float(target))


class Watch:
    """Notes each finished episode, and when the mean of the last 20 first reached the target."""

    def __init__(self, asked: Asked):
        """The clock starts with the first step."""
        self._asked, self.started = asked, time.time()
        self._ended: list[tuple[int, float]] = []
        self._reached: float | None = None

    def episode(self, step: int, gain: float) -> None:
        """An episode of this return ended when so many steps had been taken."""
        self._ended.append((step, float(gain)))
        last = [gain for _, gain in self._ended[-RECENT:]]
        if self._reached is None and len(last) == RECENT and sum(last) / RECENT >= self._asked.target:
            self._reached = time.time()

    def answer(self, steps: int, version: str, compile_seconds: float = 0.0, seconds: float | None = None) -> None:
        """Print the line. The return is the mean over the episodes that ended in the last tenth of the run."""
        seconds = time.time() - self.started if seconds is None else seconds
        late = [gain for step, gain in self._ended if step >= 0.9 * steps] or [gain for _, gain in self._ended[-5:]]
        figures: dict[str, Any] = {
            "version": version,
            "steps_per_second": steps / seconds,
            "compile_seconds": compile_seconds,
            "return": sum(late) / max(len(late), 1),
            "to_target": None if self._reached is None else self._reached - self.started,
            "reached_at": self._reached,
        }
        print(json.dumps(figures))
