"""Behavioral cloning: train an expert by PPO, clone twenty of its episodes, and continue with PPO from the clone.

    python benchmarks/cloning.py [--env CartPole-v1] [--seeds 3]

Prints one row of a Markdown table per seed: the mean return of the expert's episodes, of the clone, and of the policy
after PPO, each over 100 episodes with seeds not used in training. benchmarks/learning.md holds the rows.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import logpi


def main() -> None:
    """Train, clone and improve, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    env = arguments.env
    mean = lambda policy: logpi.evaluate(policy, env, episodes=100, seed=1).mean
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as out:
            train = lambda recipe, steps, name, seed=seed, out=out: (
                logpi.train(env, recipe, steps=steps, seed=seed, evaluations=0, out=Path(out) / name).policy
            )
            expert = train(logpi.ppo(), 100_000, "expert")
            tau = logpi.collect_episodes(expert, env, episodes=20, seed=seed)
            clone = logpi.clone(tau, env, seed=seed)
            improved = train(logpi.ppo().from_policy(clone), 50_000, "improved")
        shown = np.asarray(tau.reward).sum(axis=0).mean()
        print(f"| {seed} | {shown:.1f} | {mean(clone):.1f} | {mean(improved):.1f} |", flush=True)


if __name__ == "__main__":
    main()
