"""The learning curve as an image."""

import io
from pathlib import Path
from typing import Any

from logpi.runs.files import replace_file

RETURNS = ("return_mean", "return_min", "return_max")


def draw(path: Path, rows: list[dict[str, Any]], title: str) -> None:
    """Draw returns of training (mean and range) and of evaluations against environment steps, as a PNG.

    Raises OSError where the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    ended = [row for row in rows if all(row.get(name) is not None for name in RETURNS)]
    steps = [row["steps"] for row in ended]
    axes.fill_between(steps, [row["return_min"] for row in ended], [row["return_max"] for row in ended], alpha=0.15)
    axes.plot(steps, [row["return_mean"] for row in ended], label="training episodes: mean and range")
    evaluated = [row for row in rows if row.get("eval_return_mean") is not None]
    if evaluated:
        values = [row["eval_return_mean"] for row in evaluated]
        axes.plot([row["steps"] for row in evaluated], values, "o--", label="evaluation: mean")
    axes.set(xlabel="environment steps", ylabel="return")
    axes.set_title(title, parse_math=False)  # a name with a dollar sign is no formula
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120)
    replace_file(path, picture.getvalue())
