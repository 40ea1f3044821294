"""A run's directory: run.json, metrics.jsonl, summary.json, checkpoints/, curve.png, TensorBoard events."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from logpi.errors import LogpiError
from logpi.schedules import Linear


class RunDirectory:
    """Writes a run's files; each row of metrics is on disk when `row` returns."""

    def __init__(self, path: Path, configuration: dict[str, Any]):
        """Make the directory and write run.json; refuses a directory that already holds a run."""
        if (path / "run.json").exists():
            raise LogpiError(f"{path} already holds a run; give another --out, or remove it")
        try:
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogpiError(f"cannot write to {path}: {error.strerror}") from None
        self.path = path
        self._configuration = configuration
        self._metrics = (path / "metrics.jsonl").open("w", encoding="utf-8")
        self.status("running")

    def status(self, status: str) -> None:
        """Write run.json anew: running, done, stopped, interrupted or failed."""
        write_json(self.path / "run.json", self._configuration | {"status": status})

    def row(self, record: dict[str, Any]) -> None:
        """Append one iteration's figures to metrics.jsonl."""
        self._metrics.write(json.dumps(finite(record)) + "\n")
        self._metrics.flush()

    def summary(self, figures: dict[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.path / "summary.json", figures)

    def close(self) -> None:
        """Close the metrics."""
        self._metrics.close()


def default_path(environment: str, algorithm: str, seed: int) -> Path:
    """runs/ENV/ALGORITHM-SEED-TIME."""
    place = environment.replace("/", "-").replace(":", "-")
    return Path("runs") / place / f"{algorithm}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a run; raises LogpiError where it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise LogpiError(f"{path.parent} holds no run: {path.name} is missing") from None
    except ValueError as error:
        raise LogpiError(f"{path} is not readable: {error}") from None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl; a torn last line is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file that is whole or not there: a new file is renamed over the old."""
    fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
    fresh.write_text(json.dumps(finite(value), indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def finite(value: Any) -> Any:
    """The value as JSON can say it: null for what is not a finite number, "start:end" for a schedule."""
    if isinstance(value, dict):
        return {name: finite(x) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [finite(x) for x in value]
    if isinstance(value, Linear):
        return f"{value.start}:{value.end}"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
