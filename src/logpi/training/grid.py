"""Grid of a sweep: the combinations of option values, and the summary of the runs made with them."""

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Points = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
Row = dict[str, Any]


def grid_points(points: Points) -> list[dict[str, Any]]:
    """List every combination of a mapping's values; a sequence of combinations is returned as it is.

    >>> grid_points({"clip_range": [0.1, 0.2], "gae_lambda": [0.9]})
    [{'clip_range': 0.1, 'gae_lambda': 0.9}, {'clip_range': 0.2, 'gae_lambda': 0.9}]
    """
    if not isinstance(points, Mapping):
        return [dict(point) for point in points]
    return [dict(zip(points, values, strict=True)) for values in itertools.product(*points.values())]


def summarize(rows: Iterable[Row], names: Sequence[str], metrics: Sequence[str]) -> list[Row]:
    """Summarize runs, one row per point: its options, the number of seeds, each metric's mean and range over them.

    - `rows`: one per run; `names`: of the options; `metrics`: names of the columns to summarize.

    >>> rows = [{"clip_range": 0.1, "seed": 0, "return_mean": 10.0}]
    >>> rows += [{"clip_range": 0.1, "seed": 1, "return_mean": 20.0}]
    >>> summarize(rows, ["clip_range"], ["return_mean"])
    [{'clip_range': 0.1, 'seeds': 2, 'return_mean': '15.0 (10.0 … 20.0)'}]
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    summaries = []
    for point, group in groups.items():
        ranges = {name: _mean_and_range([row[name] for row in group if row[name] is not None]) for name in metrics}
        summaries.append(dict(zip(names, point, strict=True)) | {"seeds": len(group)} | ranges)
    return summaries


def _mean_and_range(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ({min(values):.1f} … {max(values):.1f})" if values else "–"
