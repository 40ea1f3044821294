"""Training speed on environments written in JAX: one iteration per call against many, alternating, in one process.

    python benchmarks/device.py [--seconds 3] [--rounds 3] [--settings 8x256 64x128 1024x128 4x128]

Each setting is PPO on logpi:CartPole-v1 with two tanh layers of 64. Prints environment steps per second of both, and
their ratio, each the median of the rounds, as Markdown; compile time is shown separately.
"""

import argparse
import statistics
import time
from contextlib import ExitStack

import logpi
from logpi.loop.device import MAX_ITERATIONS_PER_CALL
from logpi.loop.factory import make_loop
from logpi.loop.iteration import Carry, init_carry
from logpi.loop.protocol import CallBudget, Loop
from logpi.training.plan import make_plan

SETTINGS = {
    "8x256": {"num_envs": 8, "num_steps": 256, "epochs": 10, "minibatch_size": 64},
    "4x128": {"num_envs": 4, "num_steps": 128, "epochs": 4, "minibatch_size": 128},
    "64x128": {"num_envs": 64, "num_steps": 128, "epochs": 4, "minibatch_size": 2048},
    "1024x128": {"num_envs": 1024, "num_steps": 128, "epochs": 4, "minibatch_size": 32768},
}


def prepared(options: dict[str, int]) -> tuple[Loop, Carry, float]:
    """Return the compiled loop, the first carry, and the seconds of compilation."""
    with ExitStack() as stack:
        plan = make_plan("logpi:CartPole-v1", logpi.ppo(**options), 2**30, (None, None), 0, stack)
    carry = init_carry(plan.algorithm, plan.environment, plan.policy, plan.critic, plan.key)
    started = time.perf_counter()
    return make_loop(plan.algorithm, plan.environment, carry, 0), carry, time.perf_counter() - started


def timed(iteration: Loop, carry: Carry, most: int, seconds: float) -> tuple[Carry, float]:
    """Return (carry, steps per second) for `most` iterations per call, over at least `seconds`."""
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        carry, infos = iteration.run(carry, CallBudget(0, 2**30, 2**30, 1, most))
        steps += sum(int(info["steps"]) for info in infos)
    return carry, steps / (time.perf_counter() - started)


def main() -> None:
    """Measure, round by round; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    arguments = parser.parse_args()
    print("| setting | compile s | one a call, steps/s | many a call, steps/s | ratio (each round) |")
    print("|---|---|---|---|---|")
    for name in arguments.settings:
        iteration, carry, compiling = prepared(SETTINGS[name])
        carry, speed = timed(iteration, carry, 1, 0.5)
        per_iteration = SETTINGS[name]["num_envs"] * SETTINGS[name]["num_steps"] / speed
        many = max(2, min(MAX_ITERATIONS_PER_CALL, int(0.25 / per_iteration)))
        rounds = []
        for _ in range(arguments.rounds):
            carry, one = timed(iteration, carry, 1, arguments.seconds)
            carry, more = timed(iteration, carry, many, arguments.seconds)
            rounds.append((one, more))
        one, more = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [b / a for a, b in rounds]
        each = ", ".join(f"{x:.2f}" for x in ratios)
        print(
            f"| {name} | {compiling:.1f} | {one:,.0f} | {more:,.0f} ({many} a call)"
            f" | {statistics.median(ratios):.2f} ({each}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
