"""What is kept of a run as it goes: rows, checkpoints, the best evaluation, the summary."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from logpi.runs import checkpoint, curve, tensorboard
from logpi.runs.directory import RunDirectory, finite

FIRST = ("iteration", "steps", "episodes", "return_mean", "return_min", "return_max", "length_mean")


class Recorder:
    """Turns each iteration's figures into a row on disk and hands it to everyone who wants to know."""

    def __init__(self, path: Path, configuration: dict[str, Any], listeners: Sequence[Callable[[dict], Any]]):
        """Make the run's directory; listeners are called with each record, and one that returns True ends the run."""
        self._directory = RunDirectory(path, configuration)
        self._events, self._close_events = tensorboard.writer(path)
        self._listeners = listeners
        self._title = f"{configuration['algorithm']} on {configuration['environment']}, seed {configuration['seed']}"
        self._networks: PyTree = None
        self._best: float | None = None
        self._seconds = {"train": 0.0, "eval": 0.0}
        self.rows: list[dict[str, Any]] = []
        self.steps, self.episodes, self.compile_seconds = 0, 0, 0.0

    def record(self, info: dict[str, Any], networks: PyTree, assess: Callable | None, last: bool) -> bool:
        """One iteration: its row, an evaluation if one is due; whether a listener wants to stop."""
        self._networks = networks
        seconds = (info["rollout_seconds"] or 0.0) + info["learn_seconds"]
        self._seconds["train"] += seconds
        self.steps += int(info["steps"])
        self.episodes += int(info["episodes"])
        counts = {"iteration": len(self.rows) + 1, "steps": self.steps, "episodes": self.episodes}
        figures = {name: None if value is None else float(value) for name, value in info.items()}
        row = {"learning_rate": None} | figures | counts | {"steps_per_second": float(info["steps"]) / seconds}
        row |= self._assessed(assess, networks, last)
        row = finite({name: row[name] for name in (*FIRST, *sorted(set(row) - set(FIRST)))})
        self.rows.append(row)
        self._directory.row(row)
        self._events(row)
        wishes = [listener(row) is True for listener in self._listeners]  # every listener hears of every row
        return any(wishes)

    def finish(self, status: str) -> dict[str, Any]:
        """Save the networks, draw the curve, write the summary; whatever way the run ended."""
        if self._networks is not None:
            self._save("final")
        if self.rows:
            curve.draw(self._directory.path / "curve.png", self.rows, self._title)
        summary = finite(self._summary())
        self._directory.summary(summary)
        self._directory.status(status)
        return summary

    def __enter__(self) -> "Recorder":
        """The recorder itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Keep what there is if the run did not come to its end, and close the files."""
        if kind is not None:
            self.finish("interrupted" if issubclass(kind, KeyboardInterrupt | SystemExit) else "failed")
        self._directory.close()
        self._close_events()

    def _assessed(self, assess: Callable | None, networks: PyTree, last: bool) -> dict[str, float]:
        started = time.perf_counter()
        evaluation = assess(networks[0], self.steps, last) if assess else None
        if evaluation is None:
            return {}
        self._seconds["eval"] += time.perf_counter() - started
        if self._best is None or evaluation.mean >= self._best:
            self._best = evaluation.mean
            self._save("best")
        return {"eval_return_mean": evaluation.mean, "eval_length_mean": float(evaluation.lengths.mean())}

    def _save(self, which: str) -> None:
        directory = self._directory.path / "checkpoints" / which
        checkpoint.save(directory, self._networks, steps=self.steps, iteration=len(self.rows))

    def _summary(self) -> dict[str, Any]:
        latest = lambda name: next((row[name] for row in reversed(self.rows) if row.get(name) is not None), None)
        train = self._seconds["train"]
        return {
            "steps": self.steps,
            "episodes": self.episodes,
            "train_seconds": train,
            "compile_seconds": self.compile_seconds,
            "eval_seconds": self._seconds["eval"],
            "steps_per_second": self.steps / train if train else None,
            "return_mean": latest("return_mean"),
            "eval_return_mean": latest("eval_return_mean"),
            "best_eval_return_mean": self._best,
            "kl": latest("kl"),
            "entropy": latest("entropy"),
            "explained_variance": latest("explained_variance"),
        }
