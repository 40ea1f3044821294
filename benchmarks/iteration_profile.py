"""Profile of one iteration on the device: operations of XLA's CPU runtime, grouped by the number of their executions.

    python benchmarks/iteration_profile.py [--settings 8x256 64x64 1024x64] [--largest 12]

PPO on logpi:CartPole-v1 with two tanh layers of 64, one iteration under JAX's profiler. What runs once a minibatch is
the update's, once a step the rollout's, once an epoch the shuffle's, and once: credit, π_old, figures, statistics.
(Random numbers take five rounds, so five times as often counts as once.) Prints the milliseconds of each part and of
the update's largest operations, as Markdown. Profiling itself costs time, most for small operations.
"""

import argparse
import collections
import tempfile
from contextlib import ExitStack
from pathlib import Path

import jax
from jax.profiler import ProfileData, ProfileOptions

import logpi
from logpi.loop.factory import make_loop
from logpi.loop.iteration import init_carry
from logpi.loop.protocol import CallBudget
from logpi.training.plan import make_plan

SETTINGS = {  # environments, steps, epochs, minibatches
    "8x256": (8, 256, 10, 32),
    "64x64": (64, 64, 8, 16),
    "1024x64": (1024, 64, 8, 16),
}
ROUNDS = 5  # of a random number on the CPU
FAR = 2**30
Spent = dict[str, tuple[int, float]]


def spent(environments: int, length: int, epochs: int, minibatches: int) -> Spent:
    """Return {operation: (executions in one iteration, milliseconds)}."""
    rows = environments * length
    sizes = {"num_envs": environments, "num_steps": length, "epochs": epochs, "minibatch_size": rows // minibatches}
    with ExitStack() as stack, tempfile.TemporaryDirectory() as out:
        recipe = logpi.ppo(**sizes, hidden=(64, 64))
        plan = make_plan("logpi:CartPole-v1", recipe, FAR, (None, None), 0, stack)
        carry = init_carry(plan.algorithm, plan.environment, plan.policy, plan.critic, plan.key)
        iteration = make_loop(plan.algorithm, plan.environment, carry, 0)
        stretch = lambda iterations: CallBudget(0, FAR, FAR, rows, iterations)
        carry, _ = iteration.run(carry, stretch(3))
        options = ProfileOptions()
        options.python_tracer_level = 0
        options.host_tracer_level = 3
        with jax.profiler.trace(out, profiler_options=options):
            iteration.run(carry, stretch(1))
        return read(next(Path(out).rglob("*.xplane.pb")))


def read(trace: Path) -> Spent:
    """Read the operations of a trace: events of XLA's threads that contain no other events."""
    count, total = collections.Counter(), collections.Counter()
    for plane in ProfileData.from_file(str(trace)).planes:
        for line in plane.lines:
            if line.name.startswith("tf_XLA"):
                for event in line.events:
                    if not event.name.startswith(("ThunkExecutor", "while", "end: ", "Slinky", "call", "conditional")):
                        count[event.name] += 1
                        total[event.name] += event.duration_ns / 1e6
    return {name: (count[name], total[name]) for name in total}


def parts(found: Spent, length: int, epochs: int, minibatches: int) -> dict[str, Spent]:
    """Group the operations by the part of the iteration that they belong to."""
    often = {"update": epochs * minibatches, "rollout": length, "shuffle": epochs}
    split: dict[str, Spent] = {name: {} for name in (*often, "all else")}
    for name, (count, total) in found.items():
        part = next((part for part, n in often.items() if count in (n, ROUNDS * n)), "all else")
        split[part][name] = count, total
    return split


def main() -> None:
    """Trace each setting and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--largest", type=int, default=12)
    given = parser.parse_args()
    for setting in given.settings:
        split = parts(spent(*SETTINGS[setting]), *SETTINGS[setting][1:])
        whole = sum(total for part in split.values() for _, total in part.values())
        print(f"\n| {setting} | operations | ms | share |\n|---|---|---|---|")
        for part, ran in split.items():
            own = sum(total for _, total in ran.values())
            print(f"| {part} | {len(ran)} | {own:.1f} | {own / whole:.0%} |")
        print(f"\n| {setting}, the update | µs a minibatch |\n|---|---|")
        ordered = sorted(split["update"].items(), key=lambda item: -item[1][1])[: given.largest]
        for name, (count, total) in ordered:
            print(f"| {name} | {total / count * 1e3:.1f} |", flush=True)


if __name__ == "__main__":
    main()
