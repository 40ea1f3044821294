"""Growth of the variance of off-policy weights with the length of episodes: exact, by listing all episodes.

    uv run python benchmarks/variance_by_horizon.py

Two states, two actions, everything drawn at random; the median over seven other policies, each as far from π in θ as θ
is long. Figures are those of one episode: tr Cov ĝ in units of that of the reward-to-go from π's own; and Var Π ρ.

A second table has the named problems, whose trajectories are soon too many to list: 16,000 sampled episodes, weights of
whole trajectories with the reward-to-go, ± half of a 95 % interval by the jackknife. docs/lab.md holds both.
"""

import dataclasses

import jax.random as jr
import numpy as np

from logpi.core.compilation import use_persistent_cache
from logpi.lab.expectation import EpisodeTable, additive
from logpi.lab.measure import method
from logpi.lab.problem import Problem, perturb_policy, problem
from logpi.lab.sampling import episodes, estimates
from logpi.lab.statistics import share
from logpi.oracle import problems

TASKS = ["chain", "two-state", "random", "cliff", "grid"]
NAMES = ["trajectory-weights-total", "trajectory-weights", "per-decision", "step-weights"]


def variances(on: Problem) -> list[float]:
    """Return one episode's variance for each estimator, relative to that of the reward-to-go, and Var Π ρ."""
    listed = EpisodeTable(on)
    own, *others = (
        additive(listed, one, one, 1).variance for one in (method(on, n, "none") for n in ["reward-to-go", *NAMES])
    )
    assert on.listed is not None and own is not None
    tau, chance = listed.episodes(True)
    weights = np.exp(np.asarray(on.listed.log_probability(on.policy, tau), float)) / chance
    return [*(float(x or 0.0) / own for x in others), float(chance @ (weights - 1) ** 2)]


def sampled(task: str, horizon: int, number: int = 16_000) -> str:
    """Return the relative variance of per-trajectory weights, from episodes of the laboratory's other policy."""
    on = problem(f"tabular:{task}", horizon=horizon)
    found = []
    for name in ("trajectory-weights", "reward-to-go"):
        one = method(on, name, "none")
        tau, _ = episodes(on, on.acting(one.off_policy), number, jr.key(one.off_policy))
        found.append(estimates(one, on.state(None), tau, 1)[0])
    low, value, high = share(*found)
    return f"{value:.3g} ± {(high - low) / 2:.1g}"


def main() -> None:
    """Print two tables in Markdown."""
    use_persistent_cache()
    print(f"| steps | {' | '.join(NAMES)} | Var Π ρ |\n|{'---|' * (len(NAMES) + 2)}")
    for horizon in range(1, 7):
        on = problem(problems.random(0, states=2, actions=2), horizon=horizon)
        others = [perturb_policy(on.policy, jr.key(seed), 1.0) for seed in range(1, 8)]
        found = np.median([variances(dataclasses.replace(on, other=other)) for other in others], axis=0)
        print(f"| {horizon} | {' | '.join(f'{x:.3g}' for x in found)} |", flush=True)
    print(f"\n| steps | {' | '.join(TASKS)} |\n|{'---|' * (len(TASKS) + 1)}")
    for horizon in (1, 2, 4, 8):
        print(f"| {horizon} | {' | '.join(sampled(task, horizon) for task in TASKS)} |", flush=True)


if __name__ == "__main__":
    main()
