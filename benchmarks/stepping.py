"""How fast environments step: EnvPool by itself and through logpi, in turn in one process; Gymnasium's own beside them.

python benchmarks/stepping.py --task HalfCheetah-v5 --num-envs 8 32 128
"""

import argparse
import time
import warnings

import numpy as np

import logpi
from logpi.environments.envpool import cores


def through_logpi(name: str, num_envs: int):
    """A function that takes so many steps with random actions, and returns the seconds it took."""
    environment = logpi.make(name, num_envs)
    space, nobody = environment.spec.action_space, np.zeros(num_envs, bool)
    environment.reset(0)
    actions = [drawn(space, num_envs, t, np.float32) for t in range(64)]
    return lambda steps: seconds(lambda t: environment.step(actions[t % 64], nobody), steps)


def by_itself(task: str, num_envs: int):
    """The same of a pool, with actions of the dtype that it asks for."""
    import envpool

    pool = envpool.make_gymnasium(task, num_envs=num_envs, num_threads=min(num_envs, cores()), seed=0)
    pool.reset()
    actions = [drawn(pool.single_action_space, num_envs, t, np.float64) for t in range(64)]
    return lambda steps: seconds(lambda t: pool.step(actions[t % 64]), steps)


def drawn(space, num_envs, seed, dtype):
    rng = np.random.default_rng(seed)
    if hasattr(space, "n"):
        return rng.integers(0, space.n, num_envs).astype(np.int32)
    return rng.uniform(-1, 1, (num_envs, *space.shape)).astype(dtype)


def seconds(step, steps):
    begin = time.perf_counter()
    for t in range(steps):
        step(t)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="HalfCheetah-v5")
    parser.add_argument("--num-envs", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=4096, help="environment steps a round")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", ".*precision lowered by casting.*")
    print(f"{given.task}, steps/s; cores: {cores()}\n")
    print("| environments | EnvPool | through logpi | ratio: median [quartiles] | Gymnasium through logpi |")
    print("|---|---|---|---|---|")
    for n in given.num_envs:
        ways = [by_itself(given.task, n), through_logpi(f"envpool:{given.task}", n), through_logpi(given.task, n)]
        steps = max(1, given.steps // n)
        turns = [[i % 3, (i + 1) % 3, (i + 2) % 3] for i in range(given.rounds + 1)]
        times = np.array([[s for _, s in sorted((way, ways[way](steps)) for way in turn)] for turn in turns][1:])
        rates = n * steps / np.median(times, axis=0)
        low, middle, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
        print(f"| {n} | {rates[0]:,.0f} | {rates[1]:,.0f} | {middle:.3f} [{low:.3f}, {high:.3f}] | {rates[2]:,.0f} |")


if __name__ == "__main__":
    main()
