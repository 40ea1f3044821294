"""Speed of stepping: EnvPool by itself and through logpi, alternating in one process; Gymnasium for comparison.

python benchmarks/stepping.py --task HalfCheetah-v5 --num-envs 8 32 128
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np

import logpi
from logpi.core.processes import available_cores


def stepping(name: str, num_envs: int):
    """Return two functions that time random steps: through logpi, and of its pool alone."""
    environment = logpi.make(name, num_envs)
    space, nobody = environment.spec.action_space, np.zeros(num_envs, bool)
    environment.reset(0)
    given = [drawn(space, num_envs, t) for t in range(64)]
    native = [x.astype(space.dtype) for x in given]
    pool: Any = getattr(environment, "_pool", None)
    through = lambda steps: seconds(lambda t: environment.step(given[t % 64], nobody), steps)
    return through, lambda steps: seconds(lambda t: pool.step(native[t % 64]), steps)


def drawn(space, num_envs, seed):
    rng = np.random.default_rng(seed)
    if hasattr(space, "n"):
        return rng.integers(0, space.n, num_envs).astype(np.int32)
    return rng.uniform(-1, 1, (num_envs, *space.shape)).astype(np.float32)


def seconds(step, steps):
    """Return wall-clock seconds and processor seconds (which exclude other processes of the machine)."""
    clocks = lambda: np.array([time.perf_counter(), time.process_time()])
    begin = clocks()
    for t in range(steps):
        step(t)
    return clocks() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="HalfCheetah-v5")
    parser.add_argument("--num-envs", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=4096, help="environment steps a round")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", ".*precision lowered by casting.*")
    print(f"{given.task}, steps/s; cores: {available_cores()}\n")
    print("| environments | EnvPool | through logpi | by the clock | of processor time | Gymnasium through logpi |")
    print("|---|---|---|---|---|---|")
    for n in given.num_envs:
        through, alone = stepping(f"envpool:{given.task}", n)
        ways = [alone, through, stepping(given.task, n)[0]]
        steps = max(1, given.steps // n)
        times = np.zeros((given.rounds + 1, 3, 2))
        for i in range(given.rounds + 1):
            for way in (i % 3, (i + 1) % 3, (i + 2) % 3):
                times[i, way] = ways[way](steps)
        rates = n * steps / np.median(times[1:, :, 0], axis=0)
        ratios = np.percentile(times[1:, 0] / times[1:, 1], [25, 50, 75], axis=0).T
        wall, cpu = (f"{middle:.3f} [{low:.3f}, {high:.3f}]" for low, middle, high in ratios)
        print(f"| {n} | {rates[0]:,.0f} | {rates[1]:,.0f} | {wall} | {cpu} | {rates[2]:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
