"""Cost of `--noise-scale-groups 8`: default PPO with and without the gradient-noise meter, alternating.

    python benchmarks/meter.py [--env CartPole-v1] [--rounds 20] [--iterations 4]

A round times `iterations` iterations of one run and then of the other, in alternating order, after compilation. Prints
a line of a Markdown table: the median milliseconds of an iteration, without and with; then, for wall-clock time and for
processor time (which excludes other processes of the machine), the ratio per round: its median, quartiles and range.
"""

import argparse
import contextlib
import time
from typing import Any

import jax
import numpy as np

import logpi
from logpi.core.compilation import use_persistent_cache
from logpi.loop.factory import make_loop
from logpi.loop.iteration import init_carry
from logpi.loop.protocol import CallBudget
from logpi.training.plan import make_plan

FAR = 2**30  # a budget that is not reached


class Runner:
    """Run of PPO on a task with these options, advanced by iterations."""

    def __init__(self, env: str, stack: contextlib.ExitStack, **options: Any):
        """Compile and run the first iteration."""
        plan = make_plan(env, logpi.ppo(**options), None, (None, None), 0, stack)
        self._carry = init_carry(plan.algorithm, plan.environment, plan.policy, plan.critic, plan.key)
        self._run = make_loop(plan.algorithm, plan.environment, self._carry, 0).run
        self.seconds(1)

    def seconds(self, iterations: int) -> np.ndarray:
        """Return the mean seconds per iteration: wall-clock and processor time."""
        clocks = lambda: np.array([time.perf_counter(), time.process_time()])
        started = clocks()
        for _ in range(iterations):
            self._carry, _ = self._run(self._carry, CallBudget(0, FAR, FAR, 1, 1))
        jax.block_until_ready(jax.tree.leaves(self._carry.state.policy)[0])
        return (clocks() - started) / iterations


def compare(env: str, rounds: int, iterations: int) -> np.ndarray:
    """Return seconds per iteration without and with the meter, by both clocks, [rounds, 2, 2]."""
    with contextlib.ExitStack() as stack:
        runners = [Runner(env, stack), Runner(env, stack, noise_scale_groups=8)]
        times = np.zeros((rounds, 2, 2))
        for i in range(rounds):
            for which in (0, 1) if i % 2 else (1, 0):
                times[i, which] = runners[which].seconds(iterations)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=4)
    arguments = parser.parse_args()
    use_persistent_cache()
    times = compare(arguments.env, arguments.rounds, arguments.iterations)
    shown = [f"{1000 * np.median(times[:, which, 0]):.0f}" for which in (0, 1)]
    ratios = [_summary(times[:, 1, clock] / times[:, 0, clock]) for clock in (0, 1)]
    print(f"| {arguments.env} | {' | '.join([*shown, *ratios])} | {arguments.rounds} × {arguments.iterations} |")


def _summary(ratio: np.ndarray) -> str:
    low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
    return f"{middle:.3f} [{low:.3f}, {high:.3f}], {ratio.min():.3f} … {ratio.max():.3f}"


if __name__ == "__main__":
    main()
