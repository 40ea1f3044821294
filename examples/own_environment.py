"""Your own environment: a boat sails home in changing wind.

    uv run python examples/own_environment.py

The same from the shell, from inside examples/ (any directory from which `import own_environment` works):

    uv run logpi train own_environment:make_env --steps 50_000 --out runs/boat
    uv run logpi evaluate runs/boat --env own_environment:make_env
"""

import argparse

import gymnasium
import numpy as np
from gymnasium import spaces

import logpi


class WindyHarbor(gymnasium.Env):
    """Task: reach the harbor, a disc of radius 0.1 around the origin, from a distance of 1.

    position' = position + 0.1 · thrust + 0.05 · wind
    wind'     = 0.95 · wind + 0.3 · N(0, 1)
    reward    = −|position'|,  terminated once |position'| < 0.1

    The observation is the boat's position and the current wind. The wind changes slowly and can be stronger than the
    engine, so the straight course is not the best one.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        angle = self.np_random.uniform(0, 2 * np.pi)
        self.position = np.array([np.cos(angle), np.sin(angle)])
        self.wind = self.np_random.normal(size=2)
        return self._observe(), {}

    def step(self, action):
        self.position = self.position + 0.1 * action + 0.05 * self.wind
        self.wind = 0.95 * self.wind + 0.3 * self.np_random.normal(size=2)
        distance = float(np.linalg.norm(self.position))
        return self._observe(), -distance, distance < 0.1, False, {}

    def _observe(self):
        return np.concatenate([self.position, self.wind]).astype(np.float32)


def make_env():
    """Make one environment. The time limit of 100 steps truncates: the value of the last state still counts."""
    return gymnasium.wrappers.TimeLimit(WindyHarbor(), 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=50_000, help="environment steps")
    parser.add_argument("--out", help="the run's directory (default: under runs/)")
    options = parser.parse_args()

    # `logpi.train(make_env, …)` works as well. run.json stores the name, but `logpi evaluate DIR` and
    # `logpi resume DIR` need it again as `--env`: no name that a directory contains is imported.
    task = "own_environment:make_env"
    recipe = logpi.ppo(num_steps=128, learning_rate="1e-3:0", gamma=0.95)
    run = logpi.train(task, recipe, steps=options.steps, out=options.out)

    result = logpi.evaluate(run.policy, task, episodes=100, seed=1)
    home, steps = (result.lengths < 100).mean(), result.lengths.mean()
    print(f"return {result.mean:.1f}, {home:.0%} of the boats home, {steps:.1f} steps at sea on average")


if __name__ == "__main__":
    main()
