"""Time that a host run spends outside of collecting and learning: rows, checkpoints, events, evaluations.

    python benchmarks/stalls.py [--env HalfCheetah-v5] [--steps 204800] [--evaluations 0 2]

Trains PPO as anyone would, with two workers, and prints, for each number of evaluations, the seconds that a run takes
longer than one of a single iteration: collecting, learning, waiting for evaluations, and what is left, which is all
that is written and shown.
"""

import argparse
import tempfile
import time
from pathlib import Path

import logpi

ITERATION = 8 * 256


def shares(env: str, steps: int, evaluations: int) -> dict[str, float]:
    """Return the seconds of each part, without compilation."""
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        recipe = logpi.ppo(num_envs=8, num_steps=256)
        run = logpi.train(env, recipe, steps=steps, out=Path(out) / "run", evaluations=evaluations, workers=2)
        whole = time.perf_counter() - began - run.summary["compile_seconds"]
    spent = lambda name: sum(row[name] for row in run.metrics)
    parts: dict[str, float] = {"collecting": spent("rollout_seconds"), "learning": spent("learn_seconds")}
    parts["evaluating"] = run.summary["eval_seconds"]
    return parts | {"all else": whole - sum(parts.values())}


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="HalfCheetah-v5")
    parser.add_argument("--steps", type=int, default=204_800)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[0, 2])
    given = parser.parse_args()
    print(
        "| evaluations | collecting, s | learning, s | waiting for evaluations, s | all else, s | together, s |\n"
        "|---|---|---|---|---|---|"
    )
    shares(given.env, ITERATION, 0)  # compiles
    start = shares(given.env, ITERATION, 0)
    for evaluations in given.evaluations:
        parts = {name: x - start[name] for name, x in shares(given.env, given.steps, evaluations).items()}
        shown = " | ".join(f"{x:.2f}" for x in [*parts.values(), sum(parts.values())])
        print(f"| {evaluations} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
