"""What is kept of a run as it goes: rows, checkpoints, the best evaluation, the summary."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
from jaxtyping import PyTree

from logpi.errors import LogpiError
from logpi.evaluation.evaluate import Evaluation
from logpi.runs import checkpoints, curve, tensorboard
from logpi.runs.directory import RunDirectory
from logpi.runs.files import finite, read_metrics
from logpi.runs.progress import Progress

FIRST = ("iteration", "steps", "episodes", "return_mean", "return_min", "return_max", "length_mean")


class ResumeState(eqx.Module):
    """All that a run needs to go on: what iterations hand on, and the episodes under way on the host."""

    carry: PyTree
    episodes: PyTree


class Recorder:
    """Turns each iteration's figures into a row on disk and hands it to everyone who wants to know."""

    def __init__(self, directory: RunDirectory, title: str, listeners: Sequence[Callable], every: float):
        """Listeners are called with each record; one that returns True ends the run.

        A checkpoint is saved at the first iteration that ends `every` seconds or more after the last.
        """
        self._directory, self._title, self._listeners, self._every = directory, title, listeners, every
        self._latest: Callable[[], ResumeState] | None = None
        self._saved: dict[str, int] = {}
        self._due = time.monotonic() + every
        self.progress, self.compile_seconds = Progress(), 0.0
        self.rows: list[dict[str, Any]] = []
        self._events = self._close_events = lambda *_: None

    def begin(self, progress: Progress, kept: Callable[[], ResumeState]) -> None:
        """Where the run stands before the first iteration of this process: that, too, can be resumed."""
        self.progress, self._latest = progress, kept
        self.rows = read_metrics(self._directory.path / "metrics.jsonl")
        self._events, self._close_events = tensorboard.writer(self._directory.path, progress.steps)
        if progress.iteration:
            self._saved[checkpoints.LAST] = progress.iteration
        else:
            self._save(checkpoints.LAST)

    def invalidate(self, consumed: bool) -> None:
        """What was kept last is used by the next iterations; if it is consumed, there is nothing to save until then."""
        self._latest = None if consumed else self._latest

    def record(
        self, infos: Sequence[dict[str, Any]], evaluation: Evaluation | None, kept: Callable[[], ResumeState]
    ) -> bool:
        """Iterations: a row for each, a checkpoint after the last if one is due; whether a listener wants to stop.

        `evaluation` and `kept` belong to the last of them.
        """
        first = len(self.rows)
        for i, info in enumerate(infos, start=1):
            self._write(info, evaluation if i == len(infos) else None)
        self.progress.rows, self._latest = self._directory.written, kept
        if evaluation is not None and (self.progress.best is None or evaluation.mean >= self.progress.best):
            self.progress.best = evaluation.mean
            self._save(checkpoints.BEST)
        if time.monotonic() >= self._due:
            self._save(checkpoints.LAST)
            self._due = time.monotonic() + self._every
        wishes = [hear(row) is True for row in self.rows[first:] for hear in self._listeners]
        return any(wishes)  # every listener has heard of every row

    def _write(self, info: dict[str, Any], evaluation: Evaluation | None) -> None:
        row = finite(self._row(info, evaluation))
        self._directory.row(row)
        self.rows.append(row)
        self._events(row)

    def finish(self, status: str) -> dict[str, Any]:
        """Save where the run stands, draw the curve, write the summary; whatever way the run ended."""
        saved = self._latest is None or self._save(checkpoints.LAST)
        if self.rows:
            picture = self._directory.path / "curve.png"
            self._directory.attempt(picture.name, lambda: curve.draw(picture, self.rows, self._title))
        summary = finite(self._summary())
        self._directory.summary(summary)
        self._directory.status(status)
        if not saved:
            raise LogpiError(
                f"the last checkpoint could not be written to {self._directory.path}: what is there is older"
            )
        return summary

    def __enter__(self) -> "Recorder":
        """The recorder itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Keep what there is if the run did not come to its end, and close the files."""
        if kind is not None:
            self.finish("failed" if issubclass(kind, Exception) else "interrupted")
        self._directory.close()
        self._close_events()

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
        """Save the latest state, once; whether it is on disk. The checkpoint before stays if it cannot be."""
        assert self._latest is not None
        now, latest = self.progress, self._latest
        if self._saved.get(kind) == now.iteration:
            return True
        self._directory.settle()
        place = self._directory.path / "checkpoints"
        write = lambda: checkpoints.save(place, kind, now.iteration, latest(), progress=now.facts())
        if not self._directory.attempt("a checkpoint", write):
            return False
        self._saved[kind] = now.iteration
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


def realized_improvement(before: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """What the update before brought: how much better this batch's returns are than its own, with a standard error."""
    number = lambda r, name: math.nan if r.get(name) is None else float(r[name])
    return {
        "realized_improvement": number(row, "return_mean") - number(before, "return_mean"),
        "realized_improvement_error": math.hypot(number(before, "return_error"), number(row, "return_error")),
    }
