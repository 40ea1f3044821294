"""Reuse of a batch: `off-policy` as tuned for the task, with ρ := 1 instead of ρ, and also without the lower bound.

    python benchmarks/off_policy.py [--env CartPole-v1] [--first 0] [--seeds 3] [--steps 300000] [--floor 0.9]

Prints one line of a Markdown table for each: every seed's mean return (100 episodes with seeds not used in training),
when the mean of ten batches first reached 475 (0: never), the steps made on a batch, and the effective share of the
batch after them by the true ρ, mean and least. benchmarks/learning.md holds the rows.
"""

import argparse
import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np

import logpi
from logpi.presets.recipe import Recipe

CASES = {
    "ρ, floor": (logpi.ImportanceWeighted(logpi.step_weights), True),
    "ρ := 1, floor": (logpi.score, True),
    "ρ, no floor": (logpi.ImportanceWeighted(logpi.step_weights), False),
    "ρ := 1, no floor": (logpi.score, False),
}


def changed(recipe: Recipe, objective: logpi.Objective, floor: bool) -> Recipe:
    """Return the recipe with another objective, with or without the lower bound."""

    @functools.wraps(recipe.compose)  # which options there are is read from it
    def compose(**options):
        algorithm = recipe.compose(**options)
        least = algorithm.min_effective_sample_share if floor else None
        return dataclasses.replace(
            algorithm, objective=logpi.AdvantageNormalized(objective), min_effective_sample_share=least
        )

    return dataclasses.replace(recipe, compose=compose)


def reached(rows: list, threshold: float = 475.0) -> int | None:
    """Return the steps at which the mean return over ten batches first reaches the threshold."""
    returns = np.array([np.nan if row["return_mean"] is None else row["return_mean"] for row in rows])
    for i in range(10, len(rows) + 1):
        if np.nanmean(returns[i - 10 : i]) >= threshold:
            return rows[i - 1]["steps"]
    return None


def main() -> None:
    """Train and evaluate every case and seed; print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--floor", type=float, help="min_effective_sample_share; the tuned one unless given")
    arguments = parser.parse_args()
    plain = (
        logpi.off_policy() if arguments.floor is None else logpi.off_policy(min_effective_sample_share=arguments.floor)
    )
    for name, (objective, floor) in CASES.items():
        scores, first, rows = [], [], []
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            with tempfile.TemporaryDirectory() as out:
                recipe, steps = changed(plain, objective, floor), arguments.steps
                run = logpi.train(arguments.env, recipe, steps=steps, seed=seed, out=Path(out) / "run", evaluations=0)
            scores.append(f"{logpi.evaluate(run.policy, arguments.env, episodes=100, seed=1).mean:.1f}")
            first.append(f"{reached(run.metrics) or 0:,}")
            rows += run.metrics
        shares, made = (np.array([row[key] for row in rows]) for key in ("effective_share", "epochs"))
        print(
            f"| {name} | {', '.join(scores)} | {', '.join(first)} | {made.mean():.1f}"
            f" | {shares.mean():.3f} | {shares.min():.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
