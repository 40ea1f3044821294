"""Speed of collection relative to stepping alone, and of training relative to collection.

    python benchmarks/workers.py [--env HalfCheetah-v5] [--workers 2] [--num-envs 8] [--length 256] [--rounds 60]

In turn, rollout by rollout: `workers` processes that step their share of the environments with random actions and no
policy at all, and as many workers that collect with a policy of two layers of 64. Then, in turn as well, training by
PPO (10 epochs, minibatches of 64) with these workers, and stepping before and after. Prints steps per second and
ratios of what was measured side by side, as a machine's speed may change by half within a second. HalfCheetah-v5 needs
the extra `mujoco`.
"""

import argparse
import itertools
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def step_alone(env: str, count: int, steps: int, ready, done) -> None:
    """Step the copies repeatedly, starting each round together with the other processes."""
    import gymnasium

    copies = [gymnasium.make(env, disable_env_checker=True) for _ in range(count)]
    for i, copy in enumerate(copies):
        copy.reset(seed=i)
    space = copies[0].action_space
    space.seed(0)
    actions = [space.sample() for _ in range(256)]
    while True:
        ready.wait()
        for t in range(steps):
            for copy in copies:
                _, _, terminated, truncated, _ = copy.step(actions[t % 256])
                if terminated or truncated:
                    copy.reset()
        done.wait()


class Stepping:
    """Processes that only step environments."""

    def __init__(self, env: str, workers: int, num_envs: int, length: int):
        """Start the processes."""
        context = multiprocessing.get_context("spawn")
        self._ready, self._done = context.Barrier(workers + 1), context.Barrier(workers + 1)
        self._size = num_envs * length
        bounds = [num_envs * k // workers for k in range(workers + 1)]
        for first, last in itertools.pairwise(bounds):
            given = env, last - first, length, self._ready, self._done
            context.Process(target=step_alone, args=given, daemon=True).start()
        self.rate()

    def rate(self, times: int = 1) -> float:
        """Return environment steps per second."""
        began = time.perf_counter()
        for _ in range(times):
            self._ready.wait()
            self._done.wait()
        return times * self._size / (time.perf_counter() - began)


class Collecting:
    """Workers that collect rollouts of a fresh policy."""

    def __init__(self, env: str, workers: int, num_envs: int, length: int):
        """Start the processes."""
        import jax

        import logpi
        from logpi.policies.behavior import Behavior
        from logpi.rollout.host import HostRollout
        from logpi.rollout.noise import rollout_noise
        from logpi.rollout.workers.pool import WorkerPool

        one = logpi.make(env, num_envs)
        spec, collect = one.spec, logpi.Steps(length)
        self.mu = Behavior(logpi.mlp_policy(spec.observation_space, spec.action_space, key=jax.random.key(0)))
        self.noise = jax.device_get(rollout_noise(self.mu, one.example(), jax.random.key(1), collect, spec))
        self.rollout = HostRollout(one, collect, self.mu, one.example(), self.noise)
        self.crew, self.size = WorkerPool(one, workers), num_envs * length
        self.rollout.use_workers(self.crew)
        self.rollout.begin(0)

    def rate(self) -> float:
        """Return environment steps per second."""
        began = time.perf_counter()
        self.rollout.collect(self.mu, self.noise, 0)
        return self.size / (time.perf_counter() - began)


def training(
    env: str, workers: int, num_envs: int, length: int, stepping: Stepping, rounds: int
) -> list[tuple[float, float]]:
    """Return environment steps per second of stepping alone, and of ten iterations of a run after the first ten."""
    import logpi

    sizes = {"num_envs": num_envs, "num_steps": length, "epochs": 10, "minibatch_size": 64, "hidden": (64, 64)}
    recipe = logpi.ppo(**sizes, normalize_advantages=True, recompute_advantages=False)  # whatever suits the task best
    size = 10 * num_envs * length
    pairs, began = [], time.perf_counter()

    def turn(row: dict[str, Any]) -> None:
        nonlocal began
        if row["steps"] % size == 0:
            trained = size / (time.perf_counter() - began)
            pairs.append((stepping.rate(5), trained))
            began = time.perf_counter()

    with tempfile.TemporaryDirectory() as out:
        steps = (rounds + 1) * size
        logpi.train(env, recipe, steps=steps, out=Path(out) / "run", evaluations=0, workers=workers, callbacks=[turn])
    return pairs[1:]


def main() -> None:
    """Measure in turn; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="HalfCheetah-v5")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--num-envs", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    sizes = given.env, given.workers, given.num_envs, given.length
    stepping, collecting = Stepping(*sizes), Collecting(*sizes)
    collecting.rate()
    pairs = np.array([(stepping.rate(), collecting.rate()) for _ in range(given.rounds)])
    collecting.crew.close()
    print("| | steps/s, median (quartiles) | of stepping alone |\n|---|---|---|")
    print(f"| stepping alone, {given.workers} processes | {spread(pairs[:, 0])} | |")
    print(
        f"| collecting, {given.workers} workers | {spread(pairs[:, 1])} | {spread(pairs[:, 1] / pairs[:, 0], '.2f')} |"
    )
    pairs = np.array(training(*sizes, stepping, given.rounds))
    print(f"| training | {spread(pairs[:, 1])} | {spread(pairs[:, 1] / pairs[:, 0], '.2f')} |")


def spread(x: Any, form: str = ",.0f") -> str:
    """Format the median and the quartiles."""
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75])
    return f"{middle:{form}} ({low:{form}} … {high:{form}})"


if __name__ == "__main__":
    main()
