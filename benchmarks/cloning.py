"""Cloning: an expert that PPO trained, twenty of its episodes, their clone, and PPO from the clone on.

    python benchmarks/cloning.py [--env CartPole-v1] [--seeds 3]

Prints one line of a Markdown table for each seed: the mean return of the expert's episodes, of the clone, and of what
PPO made of it, 100 episodes that training never saw. benchmarks/learning.md keeps the lines.
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
