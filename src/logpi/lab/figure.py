"""Figure of the bias and variance of every estimator."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from logpi.lab.measure import Measurement

if TYPE_CHECKING:
    import matplotlib.axes


def draw(path: Path, rows: Sequence[Measurement], title: str) -> None:
    """Draw a row per estimator: bias ± four standard errors, variance with its interval; crosses are exact values."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2 + 0.24 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    _bias(left, rows)
    _variance(right, rows)
    label = lambda row: row.estimator if row.baseline == "none" else f"{row.estimator} − {row.baseline}"
    left.set_yticks(range(len(rows)), [label(row) for row in rows])
    left.set_ylim(len(rows) - 0.5, -0.5)
    for axes in (left, right):
        axes.grid(alpha=0.3, axis="x")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _bias(axes: "matplotlib.axes.Axes", rows: Sequence[Measurement]) -> None:
    axes.axvline(0, color="0.6", lw=1)
    bias, error = (100 * np.array([getattr(row, name) for row in rows]) for name in ("bias", "bias_error"))
    axes.errorbar(bias, range(len(rows)), xerr=4 * error, fmt=".", label="sampled, ± 4 standard errors")
    _exact(axes, [None if row.exact_bias is None else 100 * row.exact_bias for row in rows])
    axes.set_xlabel("bias along ∇J, % of ‖∇J‖")


def _variance(axes: "matplotlib.axes.Axes", rows: Sequence[Measurement]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    names = ("variance", "variance_low", "variance_high")
    value, low, high = (np.array([getattr(row, name) for row in rows]) for name in names)
    axes.errorbar(value, range(len(rows)), xerr=[value - low, high - value], fmt=".", label="sampled, 95 % interval")
    _exact(axes, [row.exact_variance for row in rows])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("variance of one batch's estimate, tr Cov ĝ")


def _exact(axes: "matplotlib.axes.Axes", values: Sequence[float | None]) -> None:
    """Mark the exact values that are known."""
    known = [(value, i) for i, value in enumerate(values) if value is not None]
    if known:
        axes.plot(*np.transpose(known), "x", color="C3", ms=5, label="exact")
