"""Reading and writing of the JSON files of a run."""

import json
import math
import os
from pathlib import Path
from typing import Any

from logpi.core.schedules import LinearSchedule
from logpi.errors import LogpiError
from logpi.runs.migrations import migrate_row


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of a run. Raises LogpiError where the file is missing or broken."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise LogpiError(f"{path.parent} holds no run: {path.name} is missing") from None
    except (ValueError, RecursionError) as error:
        raise LogpiError(f"{path} is not readable: {error}") from None
    if not isinstance(value, dict):
        raise LogpiError(f"{path} is not readable: it is no JSON object")
    return value


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the rows of metrics.jsonl, under today's column names; an incomplete last line is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            rows.append(migrate_row(json.loads(line)))
        except ValueError:
            break
    return rows


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file atomically: a new file is renamed over the old one."""
    fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        fresh.write_text(json.dumps(finite(value), indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def finite(value: Any) -> Any:
    """Convert a value to one that JSON has: null for a number that is not finite, "start:end" for a schedule."""
    if isinstance(value, dict):
        return {name: finite(x) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [finite(x) for x in value]
    if isinstance(value, LinearSchedule):
        return f"{value.start}:{value.end}"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
