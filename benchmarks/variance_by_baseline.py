"""Variance of every credit with every baseline, relative to that of the total return, on the named problems.

    uv run python benchmarks/variance_by_baseline.py [--batches 2000] [--batch 8]

Each cell is tr Cov ĝ over that of the total return without a baseline on the same batches, ± half of a 95 % interval by
the jackknife, which leaves a batch out of both. docs/lab.md holds the table.
"""

import argparse

import jax.random as jr

from logpi.core.compilation import use_persistent_cache
from logpi.lab.estimators import ESTIMATORS
from logpi.lab.measure import method
from logpi.lab.problem import problem
from logpi.lab.sampling import episodes, estimates
from logpi.lab.statistics import share

TASKS = ["chain", "two-state", "random", "cliff", "grid"]
PAIRS = [(name, b) for name in ("total-return", "reward-to-go", "q") for b in ESTIMATORS[name].baselines]


def shares(task: str, number: int, m: int) -> list[str]:
    """Return a cell for every pair."""
    on = problem(f"tabular:{task}")
    tau, _ = episodes(on, on.policy, m * number, jr.key(1))
    methods = [method(on, *pair) for pair in PAIRS]
    found = [estimates(one, on.state(one.critic), tau, m)[0] for one in methods]
    intervals = [share(x, found[0]) for x in found]
    return [f"{value:.2g} ± {(high - low) / 2:.1g}" for low, value, high in intervals]


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args()
    use_persistent_cache()
    columns = [shares(task, arguments.batches, arguments.batch) for task in TASKS]
    print(f"| estimator | baseline | {' | '.join(TASKS)} |\n|{'---|' * (len(TASKS) + 2)}")
    for pair, cells in zip(PAIRS, zip(*columns, strict=True), strict=True):
        print(f"| {' | '.join([*pair, *cells])} |")


if __name__ == "__main__":
    main()
