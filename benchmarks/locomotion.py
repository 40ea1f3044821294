"""MuJoCo tasks over seeds: the last policy and the best one, mean action and stochastic.

    python benchmarks/locomotion.py HalfCheetah-v5 trpo [--seeds 5] [--first 0] [--steps 1000000]

Needs the extra `mujoco`. Prints one line of a Markdown table for each finished seed: returns over 20 episodes, on
seeds never used in training, of the last policy (mean action; stochastic) and of the best of 10 evaluations during
training (mean action, evaluated again), the mean return of the last 100 training episodes, steps per second. Then the
interquartile mean of each with its 95 % bootstrap interval over the seeds.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import logpi
from logpi.evaluation.statistics import bootstrap_interval, interquartile_mean
from logpi.presets.registry import find_algorithm

EPISODES, EVALUATIONS, LAST = 20, 10, 100
HEAD = ("task", "method", "seed", "last", "last, stochastic", "best", "training", "steps/s")


def recent(rows: list[dict]) -> float:
    """Return the mean return of the last 100 training episodes, in whole iterations."""
    total, count, before = 0.0, 0, len(rows)
    while count < LAST and before > 0:
        before -= 1
        ended = rows[before]["episodes"] - (rows[before - 1]["episodes"] if before else 0)
        total, count = total + (rows[before]["return_mean"] or 0.0) * ended, count + ended
    return total / max(count, 1)


def one(env: str, name: str, seed: int, steps: int | None) -> tuple[list[float], float]:
    """Train one seed; return (last, last stochastic, best, training) and steps per second."""
    with tempfile.TemporaryDirectory() as out:
        place = Path(out) / "run"
        run = logpi.train(env, find_algorithm(name)(), steps=steps, seed=seed, out=place, evaluations=EVALUATIONS)
        judge = lambda policy, **how: logpi.evaluate(policy, env, episodes=EPISODES, seed=1, **how).mean
        best = logpi.load(place, which="best").policy
        figures = [judge(run.policy), judge(run.policy, stochastic=True), judge(best), recent(run.metrics)]
    return figures, run.summary["steps_per_second"]


def main() -> None:
    """Train and evaluate each seed; print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("env")
    parser.add_argument("algorithm")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int)
    arguments = parser.parse_args()
    table = []
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        figures, speed = one(arguments.env, arguments.algorithm, seed, arguments.steps)
        table.append(figures)
        shown = " | ".join(f"{x:.0f}" for x in figures)
        print(f"| {arguments.env} | {arguments.algorithm} | {seed} | {shown} | {speed:,.0f} |", flush=True)
    columns = np.array(table).T
    cells = [
        f"{interquartile_mean(c):.0f} [{bootstrap_interval(c)[0]:.0f}, {bootstrap_interval(c)[1]:.0f}]" for c in columns
    ]
    print(f"| {arguments.env} | {arguments.algorithm} | interquartile mean | {' | '.join(cells)} | |")


if __name__ == "__main__":
    main()
