"""The learning curve as an image."""

from pathlib import Path
from typing import Any


def draw(path: Path, rows: list[dict[str, Any]], title: str) -> None:
    """Draw returns of training (mean and range) and of evaluations against environment steps, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    ended = [row for row in rows if row.get("return_mean") is not None]
    steps = [row["steps"] for row in ended]
    axes.fill_between(steps, [row["return_min"] for row in ended], [row["return_max"] for row in ended], alpha=0.15)
    axes.plot(steps, [row["return_mean"] for row in ended], label="training episodes: mean and range")
    evaluated = [row for row in rows if row.get("eval_return_mean") is not None]
    if evaluated:
        values = [row["eval_return_mean"] for row in evaluated]
        axes.plot([row["steps"] for row in evaluated], values, "o--", label="evaluation: mean")
    axes.set(xlabel="environment steps", ylabel="return", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    figure.savefig(path, dpi=120)
