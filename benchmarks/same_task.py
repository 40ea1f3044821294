"""CartPole-v1 of Gymnasium and of logpi in JAX: returns of PPO trained on each.

    python benchmarks/same_task.py [--seeds 10] [--steps 98304]

Prints every seed's mean return over 100 episodes of Gymnasium's task (mean action, seeds never used in training),
trained on either, the interquartile means, and the 95 % bootstrap interval of their difference.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import logpi
from logpi.evaluation.statistics import bootstrap_interval, interquartile_mean

JUDGE, TASKS = "CartPole-v1", ("CartPole-v1", "logpi:CartPole-v1")
SAME = {"learning_rate": "1e-3:0", "num_envs": 8, "num_steps": 256, "epochs": 10, "minibatch_size": 64}


def score(task: str, seed: int, steps: int) -> float:
    """Train once; return the mean return of the last policy on Gymnasium's task."""
    with tempfile.TemporaryDirectory() as out:
        place = Path(out) / "run"
        run = logpi.train(task, logpi.ppo(**SAME), steps=steps, seed=seed, out=place, evaluations=0)
    return logpi.evaluate(run.policy, JUDGE, episodes=100, seed=1).mean


def main() -> None:
    """Train both, seed by seed; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=98_304)
    given = parser.parse_args()
    scores = np.array([[score(task, seed, given.steps) for task in TASKS] for seed in range(given.seeds)])
    print("| trained on | steps | returns, each seed | interquartile mean |\n|---|---|---|---|")
    for task, column in zip(TASKS, scores.T, strict=True):
        low, high = bootstrap_interval(column)
        each = ", ".join(f"{x:.1f}" for x in column)
        print(f"| {task} | {given.steps:,} | {each} | {interquartile_mean(column):.1f} [{low:.1f}, {high:.1f}] |")
    difference = lambda both: interquartile_mean(both[:, 0]) - interquartile_mean(both[:, 1])
    low, high = bootstrap_interval(scores, difference)
    print(f"\nThe first less the second: {difference(scores):.1f} [{low:.1f}, {high:.1f}].")


if __name__ == "__main__":
    main()
