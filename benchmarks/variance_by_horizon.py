"""How the variance of off-policy weights grows with the length of episodes: exact, by listing all of them.

    uv run python benchmarks/variance_by_horizon.py

Two states, two actions, everything drawn at random. Figures are those of one episode: tr Cov ĝ in units of ‖∇J‖², and
Var Π ρ. All estimators but the first learn from another policy's episodes.
"""

import numpy as np

from logpi.compile_cache import use_persistent_cache
from logpi.lab.expectation import Listed, additive
from logpi.lab.measure import method
from logpi.lab.problem import exact_gradient, problem
from logpi.oracle import problems

NAMES = ["reward-to-go", "trajectory-weights-total", "trajectory-weights", "per-decision", "step-weights"]


def main() -> None:
    """A table in Markdown."""
    use_persistent_cache()
    print(f"| steps | {' | '.join(NAMES)} | Var Π ρ |\n|{'---|' * (len(NAMES) + 2)}")
    for horizon in range(1, 8):
        on = problem(problems.random(0, states=2, actions=2), horizon=horizon)
        listed, size = Listed(on), float(np.sum(np.asarray(exact_gradient(on)) ** 2))
        methods = [method(on, name, "none") for name in NAMES]
        found = [additive(listed, one, one, 1).variance / size for one in methods]
        tau, chance = listed.episodes(True)
        weights = np.exp(np.asarray(on.listed.log_probability(on.policy, tau), float)) / chance
        figures = [*found, chance @ (weights - 1) ** 2]
        print(f"| {horizon} | {' | '.join(f'{x:.3g}' for x in figures)} |", flush=True)


if __name__ == "__main__":
    main()
