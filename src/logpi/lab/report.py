"""Reports of measurements: a table for the terminal, and CSV."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from logpi.lab.measure import Measurement

LEGEND = (
    "bias along ∇J, in % of ‖∇J‖, sampled ± its standard error, and exact; z: standard errors between the two;"
    " variance: tr Cov ĝ with its 95 % interval; S/N: ‖E ĝ‖/√variance; cosine to ∇J, all of one batch"
)


def show(rows: Sequence[Measurement], title: str, file: TextIO | io.StringIO | io.TextIOWrapper | None = None) -> None:
    """Print the table to a text stream or to standard output; 160 columns wide if that is no terminal."""
    console = Console(file=file, highlight=False, markup=False, emoji=False)  # a task's name is no markup
    if not console.is_terminal:
        console.width = 160
    console.print(table(rows, title))


def table(rows: Sequence[Measurement], title: str) -> Table:
    """Format measurements as a table, one row each."""
    output = Table(title=title, caption=LEGEND, box=None, padding=(0, 1), title_justify="left", caption_justify="left")
    output.add_column("estimator")
    output.add_column("baseline")
    for name in ("bias %", "exact %", "z", "variance", "95 %", "S/N", "cosine", "steps", "ms"):
        output.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        output.add_row(row.estimator, row.baseline, *_numbers(row))
    return output


def _numbers(row: Measurement) -> list[str]:
    return [
        f"{100 * row.bias:.1f} ± {100 * row.bias_error:.1f}",
        "" if row.exact_bias is None else f"{100 * row.exact_bias:.1f}".replace("-0.0", "0.0"),
        f"{row.z:.1f}",
        f"{row.variance:.3g}",
        f"{row.variance_low:.2g} … {row.variance_high:.2g}",
        f"{row.signal_to_noise:.2f}",
        f"{row.cosine:.2f}",
        f"{row.steps:.0f}",
        f"{1000 * row.seconds:.2g}",
    ]


def records(rows: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Convert measurements to dicts of all fields."""
    return [dataclasses.asdict(row) for row in rows]


def write_csv(path: Path, rows: Sequence[Measurement]) -> None:
    """Write one line per measurement under the fields' names; None as an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Measurement)])
        writer.writeheader()
        writer.writerows(records(rows))
