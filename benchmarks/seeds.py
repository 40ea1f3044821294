"""Cost of many seeds at once: an iteration of M learners against an iteration of one, alternating, in one process.

    python benchmarks/seeds.py [--members 32] [--devices 2] [--rounds 3]

PPO on logpi:CartPole-v1, 8 environments × 256 steps, 10 epochs, minibatches of 64. Prints, round by round, the seconds
on the clock and the seconds of a core that an iteration takes, and their ratios; the latter do not depend on what else
the machine is doing. With two cores that are free, half of the second ratio is what the clock shows.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack

import jax

import logpi
from logpi.environments.protocol import Environment
from logpi.loop.factory import make_loop
from logpi.loop.iteration import init_carry
from logpi.loop.protocol import CallBudget
from logpi.loop.vectorized import VectorizedLoop, init_many
from logpi.training.many_runs import tree_stack
from logpi.training.plan import make_plan

FAR = 2**30


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return (wall-clock seconds, core seconds) of an iteration."""
    clock, core = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - core


def main() -> None:
    """Measure, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=32)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", arguments.devices)
    with ExitStack() as stack:
        plan = make_plan("logpi:CartPole-v1", logpi.ppo(), FAR, (None, None), 0, stack)
    assert isinstance(plan.environment, Environment)
    members, networks = arguments.members, (plan.policy, plan.critic)
    one = [init_carry(plan.algorithm, plan.environment, *networks, plan.key)]
    alone = make_loop(plan.algorithm, plan.environment, one[0], 0).run
    algorithms = [plan.algorithm] * members
    many = [
        init_many(algorithms, plan.environment, tree_stack([networks] * members), jax.random.split(plan.key, members))
    ]
    together = VectorizedLoop(algorithms, plan.environment, many[0]).run
    stretch = CallBudget(0, FAR, FAR, 1, 1)

    def single() -> None:
        one[0], _ = alone(one[0], stretch)

    def all_of_them() -> None:
        many[0], _ = together(many[0], [stretch] * members)

    print(f"| one: clock, core | {members}: clock, core | ratio: clock, core |\n|---|---|---|")
    for round_ in range(arguments.rounds + 1):  # the first one warms up
        (clock, core), (clocks, cores) = timed(single), timed(all_of_them)
        if round_:
            times = f"{clock:.3f}, {core:.3f} | {clocks:.2f}, {cores:.2f}"
            print(f"| {times} | {clocks / clock:.1f}, {cores / core:.1f} |", flush=True)


if __name__ == "__main__":
    main()
