"""The learning curve as a picture."""

from pathlib import Path
from typing import Any


def draw(path: Path, rows: list[dict[str, Any]], title: str) -> None:
    """Training returns (mean, and from least to most) and evaluations against environment steps, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    ended = [row for row in rows if row.get("return_mean") is not None]
    steps = [row["steps"] for row in ended]
    axes.fill_between(steps, [row["return_min"] for row in ended], [row["return_max"] for row in ended], alpha=0.15)
    axes.plot(steps, [row["return_mean"] for row in ended], label="training episodes: mean, least to most")
    tried = [row for row in rows if row.get("eval_return_mean") is not None]
    if tried:
        values = [row["eval_return_mean"] for row in tried]
        axes.plot([row["steps"] for row in tried], values, "o--", label="evaluation: mean")
    axes.set(xlabel="environment steps", ylabel="return", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    figure.savefig(path, dpi=120)
