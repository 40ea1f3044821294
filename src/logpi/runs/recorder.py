"""The recorder of a run: rows, checkpoints, the best evaluation, the summary."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, PyTree

from logpi.errors import LogpiError
from logpi.evaluation.evaluate import Evaluation
from logpi.loop.topology import ONE_PROCESS, Topology
from logpi.runs import checkpoints, curve
from logpi.runs.directory import RunDirectory
from logpi.runs.files import finite, read_metrics
from logpi.runs.progress import Progress
from logpi.runs.tensorboard import EventFile

FIRST = ("iteration", "steps", "episodes", "return_mean", "return_min", "return_max", "length_mean")


class ResumeState(eqx.Module):
    """State from which a run is resumed exactly.

    - `carry`: the loop's carry (learner, key, environments in JAX).
    - `episodes`: snapshot of unfinished episodes on the host; empty on the device.
    """

    carry: PyTree
    episodes: PyTree


class Recorder:
    """Writer of one row per iteration, of checkpoints and of the summary; it calls the listeners with each row."""

    def __init__(
        self,
        directory: RunDirectory,
        title: str,
        listeners: Sequence[Callable],
        every: float,
        topology: Topology = ONE_PROCESS,
    ):
        """Record into a directory.

        - `title`: of the learning curve.
        - `listeners`: functions called with each row; one that returns True ends the run.
        - `every`: seconds between checkpoints at least.
        - `topology`: the run's processes, which save their checkpoints together.
        """
        self._directory, self._title, self._listeners, self._every = directory, title, listeners, every
        self._topology = topology
        self._latest: Callable[[], ResumeState] | None = None
        self._saved: dict[str, int] = {}
        self._due = time.monotonic() + every
        self.progress, self.compile_seconds = Progress(), 0.0
        self.rows: list[dict[str, Any]] = []
        self._events = EventFile(directory.path)

    def begin(self, progress: Progress, kept: Callable[[], ResumeState]) -> None:
        """Set the progress and state before the first iteration of this process; a new run saves that state, too."""
        self.progress, self._latest = progress, kept
        self.rows = read_metrics(self._directory.path / "metrics.jsonl")
        self._events = EventFile(self._directory.path, progress.steps)
        if progress.iteration:
            self._saved[checkpoints.LAST] = progress.iteration
        else:
            self._save(checkpoints.LAST)

    def invalidate(self, consumed: bool) -> None:
        """Forget the latest resume state if the next call donates its buffers (`consumed`).

        No checkpoint can be written then until `record` brings the next state.
        """
        self._latest = None if consumed else self._latest

    def record(
        self, infos: Sequence[dict[str, Any]], evaluation: Evaluation | None, kept: Callable[[], ResumeState]
    ) -> bool:
        """Record iterations: a row for each, and a checkpoint after the last if one is due.

        - `infos`: metrics of each iteration.
        - `evaluation`, `kept`: the evaluation, if any, and the resume state after the last of them.

        Returns True if a listener wants to stop the run.

        Rows are written first, since a checkpoint holds the length of metrics.jsonl: rows beyond that length are cut
        off when the run is resumed, and their iterations repeated. The best checkpoint comes next, so that the last
        one, whose progress holds the best return so far, never names a best that is not on disk. Listeners come at
        the end: one that raises ends the run after everything of these iterations is written.
        """
        first = len(self.rows)
        for i, info in enumerate(infos, start=1):
            self._write(info, evaluation if i == len(infos) else None)
        self.progress.rows, self._latest = self._directory.written, kept
        if evaluation is not None and (self.progress.best is None or evaluation.mean >= self.progress.best):
            self.progress.best = evaluation.mean
            self._save(checkpoints.BEST)
        if self._topology.agree(time.monotonic() >= self._due):
            self._save(checkpoints.LAST)
            self._due = time.monotonic() + self._every
        stops = [_is_true(listener(row)) for row in self.rows[first:] for listener in self._listeners]
        return any(stops)  # only now: every listener is called with every row

    def _write(self, info: dict[str, Any], evaluation: Evaluation | None) -> None:
        row = finite(self._row(info, evaluation))
        self._directory.row(row)
        self.rows.append(row)
        self._directory.attempt("TensorBoard events", lambda: self._events.write(row))

    def finish(self, status: str) -> dict[str, Any]:
        """Save the final state, draw the curve, write and return the summary, whichever way the run ended."""
        saved = self._latest is None or self._save(checkpoints.LAST)
        if self.rows:
            picture = self._directory.path / "curve.png"
            self._directory.attempt(picture.name, lambda: curve.draw(picture, self.rows, self._title))
        summary = finite(self._summary())
        self._directory.summary(summary)
        self._directory.status(status)
        if not saved:
            raise LogpiError(
                f"the last checkpoint could not be written to {self._directory.path}: the newest one there is older"
            )
        return summary

    def __enter__(self) -> "Recorder":
        """The recorder itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Record an exception as the end of the run, and close the files."""
        try:
            if kind is not None:
                self.finish("failed" if issubclass(kind, Exception) else "interrupted")
        finally:
            self._directory.close()

    def _row(self, info: dict[str, Any], evaluation: Evaluation | None) -> dict[str, Any]:
        seconds = (info["rollout_seconds"] or 0.0) + info["learn_seconds"]
        now = self.progress
        now.iteration, now.steps = now.iteration + 1, now.steps + int(info["steps"])
        now.episodes, now.train_seconds = now.episodes + int(info["episodes"]), now.train_seconds + seconds
        now.eval_seconds += info.pop("eval_seconds", 0.0)
        figures = {name: None if value is None else float(value) for name, value in info.items()}
        counts = {"iteration": now.iteration, "steps": now.steps, "episodes": now.episodes}
        row = {"learning_rate": None} | figures | counts | {"steps_per_second": float(info["steps"]) / seconds}
        row |= realized_improvement(self.rows[-1], row) if self.rows else {}
        if evaluation is not None:
            row |= {"eval_return_mean": evaluation.mean, "eval_length_mean": float(evaluation.lengths.mean())}
        return {name: row[name] for name in (*FIRST, *sorted(set(row) - set(FIRST)))}

    def _save(self, kind: str) -> bool:
        """Save the latest state unless it is saved already; return True if it is on disk.

        If it cannot be written, the checkpoint before it stays.
        """
        assert self._latest is not None
        progress, latest = self.progress, self._latest
        if self._saved.get(kind) == progress.iteration:
            return True
        self._directory.settle()  # the rows that the checkpoint's progress counts are on disk before it
        place = self._directory.path / "checkpoints"
        write = lambda: checkpoints.save(place, kind, progress.iteration, latest(), progress=progress.facts())
        if not self._directory.attempt("a checkpoint", write):
            return False
        self._saved[kind] = progress.iteration
        return True

    def _summary(self) -> dict[str, Any]:
        latest = lambda name: next((row[name] for row in reversed(self.rows) if row.get(name) is not None), None)
        now = self.progress
        return {
            "steps": now.steps,
            "episodes": now.episodes,
            "train_seconds": now.train_seconds,
            "compile_seconds": self.compile_seconds,
            "eval_seconds": now.eval_seconds,
            "steps_per_second": now.steps / now.train_seconds if now.train_seconds else None,
            "return_mean": latest("return_mean"),
            "eval_return_mean": latest("eval_return_mean"),
            "best_eval_return_mean": now.best,
            "kl": latest("kl"),
            "entropy": latest("entropy"),
            "explained_variance": latest("explained_variance"),
        }


def _is_true(answer: object) -> bool:
    """Tell whether a listener asks to stop: it returned True, Python's, NumPy's or JAX's."""
    return answer is True or (
        isinstance(answer, np.bool_ | np.ndarray | Array) and answer.dtype == bool and bool(answer)
    )


def realized_improvement(before: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return the change of the mean return since the batch before, with its standard error."""
    number = lambda r, name: math.nan if r.get(name) is None else float(r[name])
    return {
        "realized_improvement": number(row, "return_mean") - number(before, "return_mean"),
        "realized_improvement_error": math.hypot(number(before, "return_error"), number(row, "return_error")),
    }
