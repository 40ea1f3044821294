"""How much of the machine's stepping collection keeps, and training of that.

    python benchmarks/workers.py [--env HalfCheetah-v5] [--workers 2] [--num-envs 8] [--length 256] [--rounds 5]

In turn, round by round: `workers` processes that step their share of the environments with random actions and no
policy at all; as many workers that collect rollouts with a policy of two layers of 64; and, once at the end, training
by PPO (10 epochs, minibatches of 64) with these workers. Prints steps per second and ratios. HalfCheetah-v5 needs the
extra `mujoco`.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np


def step_alone(env: str, count: int, steps: int, ready, done) -> None:
    """Step so many copies, each so many times, beginning together with the others."""
    import gymnasium

    copies = [gymnasium.make(env, disable_env_checker=True) for _ in range(count)]
    for i, copy in enumerate(copies):
        copy.reset(seed=i)
    space = copies[0].action_space
    space.seed(0)
    actions = [space.sample() for _ in range(256)]
    ready.wait()
    for t in range(steps):
        for copy in copies:
            _, _, terminated, truncated, _ = copy.step(actions[t % 256])
            if terminated or truncated:
                copy.reset()
    done.wait()


def stepping(env: str, workers: int, num_envs: int, steps: int) -> float:
    """Environment steps per second of processes that do nothing else."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Barrier(workers + 1), context.Barrier(workers + 1)
    bounds = [num_envs * k // workers for k in range(workers + 1)]
    shares = [bounds[k + 1] - bounds[k] for k in range(workers)]
    processes = [context.Process(target=step_alone, args=(env, share, steps, ready, done)) for share in shares]
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()
    done.wait()
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return num_envs * steps / seconds


class Collecting:
    """Workers that collect rollouts of a fresh policy."""

    def __init__(self, env: str, workers: int, num_envs: int, length: int):
        """Start them."""
        import jax

        import logpi
        from logpi.policies.behaviour import Behaviour
        from logpi.rollout.crew import Crew
        from logpi.rollout.host import HostRollout
        from logpi.rollout.noise import rollout_noise

        one = logpi.make(env, num_envs)
        spec, collect = one.spec, logpi.Steps(length)
        self.mu = Behaviour(logpi.mlp_policy(spec.observation_space, spec.action_space, key=jax.random.key(0)))
        self.noise = jax.device_get(rollout_noise(self.mu, one.example(), jax.random.key(1), collect, spec))
        self.rollout = HostRollout(one, collect, self.mu, one.example(), self.noise)
        self.crew, self.size = Crew(one, workers), num_envs * length
        self.rollout.hire(self.crew)
        self.rollout.begin(0)

    def rate(self, rollouts: int) -> float:
        """Environment steps per second."""
        began = time.perf_counter()
        for i in range(rollouts):
            self.rollout.collect(self.mu, self.noise, i)
        return rollouts * self.size / (time.perf_counter() - began)


def training(env: str, workers: int, num_envs: int, length: int, steps: int) -> float:
    """Environment steps per second of a whole run, compile time apart."""
    import logpi

    sizes = {"num_envs": num_envs, "rollout_length": length, "epochs": 10, "minibatch": 64, "hidden": (64, 64)}
    recipe = logpi.ppo(**sizes, standardise=True, recompute=False)  # whatever suits the task best
    with tempfile.TemporaryDirectory() as out:
        run = logpi.train(env, recipe, steps=steps, out=Path(out) / "run", evaluations=0, workers=workers)
    return run.summary["steps_per_second"]


def main() -> None:
    """Measure in turn; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="HalfCheetah-v5")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--num-envs", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    sizes = given.env, given.workers, given.num_envs, given.length
    collecting = Collecting(*sizes)
    collecting.rate(2)
    alone, collected = [], []
    for _ in range(given.rounds):
        alone.append(stepping(given.env, given.workers, given.num_envs, given.length * 8))
        collected.append(collecting.rate(8))
    collecting.crew.close()
    trained = [training(*sizes, steps=20 * given.num_envs * given.length) for _ in range(3)]
    each = lambda x: f"{np.median(x):,.0f} ({', '.join(f'{v:,.0f}' for v in x)})"
    share = np.array(collected) / np.array(alone)
    print("| | steps/s, median (each round) | of stepping alone |\n|---|---|---|")
    print(f"| stepping alone, {given.workers} processes | {each(alone)} | |")
    kept = f"{np.median(share):.2f} ({min(share):.2f} … {max(share):.2f})"
    print(f"| collecting, {given.workers} workers | {each(collected)} | {kept} |")
    print(f"| training | {each(trained)} | {np.median(trained) / np.median(alone):.2f} |")


if __name__ == "__main__":
    main()
