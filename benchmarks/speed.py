"""Training on host environments against other libraries, each in its own virtual environment, alternating, in one run.

    python benchmarks/speed.py sb3=PYTHON [sbx=PYTHON] [tianshou=PYTHON] [cleanrl=PYTHON] [--algorithm ppo|trpo]
                               [--env CartPole-v1] [--steps 100000] [--rounds 3] [--settings same|best] [--target 475]

PYTHON is the interpreter of an environment that has the library: stable-baselines3 (and sb3-contrib for TRPO), sbx-rl,
tianshou, with torch's CPU build, or what peers/run_cleanrl.py asks for; logpi is measured where this runs. All get the
same task, settings and seeds (see peers/report.py), one thread for torch, a process a run; the order alternates. With
`--settings best` each library has its own settings for CartPole-v1. Prints, as Markdown: steps per second, the return
at the end of training, seconds until the mean of the last 20 training episodes reaches the target, from the first step
and from the start of the process; medians over rounds with every round, and ratios to logpi round by round with
bootstrap intervals.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from logpi.evaluation.statistics import bootstrap_interval

PEERS = Path(__file__).parent / "peers"
FIGURES = {"steps_per_second": "steps/s", "return": "return at the end", "compile_seconds": "compile, s"}
FIGURES |= {"to_target": "s to target", "from_start": "s to target from process start"}
Rows = dict[str, list[dict[str, Any]]]


def measure(python: str, peer: str, *asked: Any) -> dict[str, Any]:
    """Run one library in a separate process and return its answer."""
    began = time.time()
    command = [python, str(PEERS / f"run_{peer}.py"), *map(str, asked)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{peer} failed:\n{done.stderr}")
    row = json.loads(done.stdout.splitlines()[-1])
    return row | {"from_start": row["reached_at"] and row["reached_at"] - began}


def shown(values: list[float | None]) -> str:
    """Format the median and all values."""
    known = [x for x in values if x is not None]
    write = lambda x: "never" if x is None else f"{x:,.0f}" if abs(x) >= 100 else f"{x:.2f}"
    return f"{write(float(np.median(known)) if known else None)} ({', '.join(map(write, values))})"


def ratio(ours: list[float | None], theirs: list[float | None]) -> str:
    """Format the median ratio of logpi to the other library over rounds, with its interval."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    if not pairs:
        return "–"
    each = np.array([a / b for a, b in pairs])
    low, high = bootstrap_interval(each, lambda x: float(np.median(x)))
    return f"{np.median(each):.2f} [{low:.2f}, {high:.2f}]"


def table(rows: Rows) -> str:
    """Format all figures and their ratios to logpi's."""
    head = ["library", *FIGURES.values()]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    column = lambda peer, name: [row[name] for row in rows[peer]]
    for peer, runs in rows.items():
        cells = [shown(column(peer, name)) for name in FIGURES]
        lines.append(f"| {peer} {runs[0]['version']} | {' | '.join(cells)} |")
    for peer in rows:
        if peer != "logpi":
            cells = [ratio(column("logpi", name), column(peer, name)) for name in FIGURES if name != "compile_seconds"]
            lines.append(f"| logpi / {peer} | {cells[0]} | {cells[1]} | | {' | '.join(cells[2:])} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, round by round; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="+", metavar="PEER=PYTHON")
    parser.add_argument("--algorithm", default="ppo", choices=("ppo", "trpo"))
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", default="same", choices=("same", "best"))
    parser.add_argument("--target", type=float, default=475.0)
    given = parser.parse_args()
    pythons = {"logpi": sys.executable} | dict(peer.split("=", 1) for peer in given.peers)
    rows: Rows = {peer: [] for peer in pythons}
    for seed in range(given.rounds):
        for peer, python in list(pythons.items())[:: 1 if seed % 2 == 0 else -1]:
            asked = given.env, given.steps, seed, given.algorithm, given.settings, given.target
            rows[peer].append(measure(python, peer, *asked))
            print(f"round {seed}, {peer}: {rows[peer][-1]['steps_per_second']:,.0f} steps/s", file=sys.stderr)
    print(table(rows))


if __name__ == "__main__":
    main()
