"""Final returns over seeds: mean action, 100 episodes with seeds not used in training.

    python benchmarks/learning.py CartPole-v1 ppo --seeds 5 [--steps 100000]

Prints one line of a Markdown table: every seed's mean return, their interquartile mean with its 95 % interval by
stratified bootstrap, and the time. benchmarks/learning.md holds the rows.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

import logpi
from logpi.evaluation.statistics import bootstrap_interval, interquartile_mean
from logpi.presets.registry import find_algorithm


def main() -> None:
    """Train and evaluate each seed; print the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("env")
    parser.add_argument("algorithm")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int)
    arguments = parser.parse_args()
    scores, seconds, steps = [], [], 0
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as out:
            recipe = find_algorithm(arguments.algorithm)()
            run = logpi.train(
                arguments.env, recipe, steps=arguments.steps, seed=seed, out=Path(out) / "run", evaluations=0
            )
        scores.append(logpi.evaluate(run.policy, arguments.env, episodes=100, seed=1).mean)
        seconds.append(run.summary["train_seconds"])
        steps = run.summary["steps"]
    low, high = bootstrap_interval(np.array(scores))
    shown = ", ".join(f"{score:.1f}" for score in scores)
    print(
        f"| {arguments.env} | {arguments.algorithm} | {steps:,} | {shown} | {min(scores):.1f}"
        f" | {interquartile_mean(np.array(scores)):.1f} [{low:.1f}, {high:.1f}] | {statistics.median(seconds):.1f} |"
    )


if __name__ == "__main__":
    main()
