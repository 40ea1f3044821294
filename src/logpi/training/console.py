"""Progress on the console: a live bar on a terminal, plain lines elsewhere; then a summary."""

import time
from collections.abc import Sequence
from typing import IO, Any, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from logpi.training.console_stream import ConsoleStream

Record = dict[str, Any]
COLLAPSE_PATIENCE = 10  # iterations in a row with next to no entropy, before a warning


class Reporter:
    """Display of return, KL, speed and time left, on standard error, so that standard output stays clean."""

    def __init__(self, steps: int, every: float = 2.0):
        """- `steps`: the budget. - `every`: least seconds between two lines without a terminal, default 2."""
        # Names and paths are printed as they are, brackets and colons too.
        self._console = Console(file=cast("IO[str]", ConsoleStream()), highlight=False, markup=False, emoji=False)
        self._steps, self._every, self._last = steps, every, -every
        self._recent: list[float] = []
        self._collapsed_iterations = 0
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, transient=True, refresh_per_second=5)
        self._task = self._bar.add_task("compiling …", total=steps)

    def log(self, line: str) -> None:
        """Print one line, above the bar if there is one."""
        self._console.print(line, soft_wrap=True)

    def record(self, record: Record) -> None:
        """Show an iteration's record."""
        self._warn_of_collapse(record.get("entropy"))
        if record.get("return_mean") is not None:
            self._recent = [*self._recent[-9:], record["return_mean"]]
        ended = bool(self._recent)
        shown = f"return {sum(self._recent) / len(self._recent):z.1f}" if ended else "no episode has ended"
        figures = f"{shown}  KL {record['kl']:z.4f}  {record['steps_per_second']:,.0f} steps/s"
        if self._console.is_terminal:
            self._bar.update(self._task, completed=record["steps"], description=figures)
        elif time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self.log(f"{record['steps']:>10,} / {self._steps:,} steps  {figures}")

    def _warn_of_collapse(self, entropy: float | None) -> None:
        """Warn once when the policy has become almost deterministic: it then tries, and learns, nothing else."""
        certain = entropy is not None and 0 <= entropy < 1e-3
        if self._collapsed_iterations < COLLAPSE_PATIENCE:
            self._collapsed_iterations = self._collapsed_iterations + 1 if certain else 0
            if self._collapsed_iterations == COLLAPSE_PATIENCE:
                self.log(
                    f"warning: entropy has been below 0.001 for {COLLAPSE_PATIENCE} iterations: the policy tries"
                    " nothing else"
                    " any more; if it is not good yet, a larger ent_coef or a smaller learning_rate may help"
                )

    def show_summary(self, figures: Record) -> None:
        """Print the summary in place of the bar."""
        self._bar.stop()
        self._console.print(_table(figures))

    def show_table(self, rows: Sequence[Record]) -> None:
        """Print a table of several runs, a line each, in place of the bar."""
        self._bar.stop()
        table = Table(*rows[0], box=None, padding=(0, 2))
        for row in rows:
            table.add_row(*("–" if x is None else x if isinstance(x, str) else f"{x:z.6g}" for x in row.values()))
        self._console.print(table)

    def __enter__(self) -> "Reporter":
        """Show the bar, on a terminal."""
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the bar."""
        self._bar.stop()


def _table(summary: Record) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")  # a path must stay whole, so that it can be copied
    shown = {name: x for name, x in summary.items() if x is not None and not isinstance(x, dict | list)}
    for name, value in shown.items():
        table.add_row(name, _text(value))
    return table


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:z.4g}"
