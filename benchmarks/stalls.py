"""What a host run does beside collecting and learning: rows, checkpoints, events, evaluations, on whose clock.

    python benchmarks/stalls.py [--env HalfCheetah-v5] [--steps 204800] [--evaluations 0 2]

Trains PPO as anyone would, with two workers, and prints, for each number of evaluations, the seconds between the first
row and the last: collecting, learning, evaluating, and what is left, which is all that is written and shown.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import logpi


def shares(env: str, steps: int, evaluations: int) -> dict[str, float]:
    """Seconds of each part, from the first row to the last."""
    rows: list[tuple[float, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as out:
        logpi.train(
            env,
            logpi.ppo(num_envs=8, rollout_length=256),
            steps=steps,
            out=Path(out) / "run",
            evaluations=evaluations,
            workers=2,
            callbacks=[lambda row: rows.append((time.perf_counter(), row))],
        )
        summary = logpi.load(Path(out) / "run").summary
    spent = lambda name: sum(row[name] for _, row in rows[1:])
    parts = {"collecting": spent("rollout_seconds"), "learning": spent("learn_seconds")}
    parts["evaluating"] = summary["eval_seconds"]
    return parts | {"all else": rows[-1][0] - rows[0][0] - sum(parts.values())}


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="HalfCheetah-v5")
    parser.add_argument("--steps", type=int, default=204_800)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[0, 2])
    given = parser.parse_args()
    print(
        "| evaluations | collecting, s | learning, s | evaluating, s | all else, s | share |\n|---|---|---|---|---|---|"
    )
    for evaluations in given.evaluations:
        parts = shares(given.env, given.steps, evaluations)
        share = parts["all else"] / sum(parts.values())
        print(f"| {evaluations} | {' | '.join(f'{x:.2f}' for x in parts.values())} | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main()
