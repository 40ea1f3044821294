"""TensorBoard events of a run."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def writer(path: Path, steps: int = 0, every: float = 0.5) -> tuple[Callable[[Record], None], Callable[[], None]]:
    """Return (write, close): `write` takes each iteration's record, and writes one at most every `every` seconds.

    Events beyond `steps`, written by a process that was killed, are purged: their iterations are repeated.
    """
    from tensorboardX import SummaryWriter

    events = SummaryWriter(logdir=str(path), purge_step=steps + 1 if steps else None)
    last = [-math.inf]

    def write(record: Record) -> None:
        if time.monotonic() - last[0] < every and "eval_return_mean" not in record:
            return
        last[0] = time.monotonic()
        for name, value in record.items():
            if isinstance(value, int | float) and math.isfinite(value):
                events.add_scalar(name, value, record["steps"])

    return write, events.close
