"""logpi at the shared settings: `python logpi.py ENV STEPS SEED ppo|trpo`, one JSON line."""

import json
import sys
import tempfile
from importlib import metadata
from pathlib import Path

sys.path.pop(0)  # this file is called logpi, too

import logpi

RECIPES = {
    "ppo": lambda: logpi.ppo(
        num_envs=8,
        rollout_length=256,
        epochs=10,
        minibatch=64,
        learning_rate=3e-4,
        discount=0.99,
        decay=0.95,
        clip=0.2,
        max_gradient_norm=0.5,
        hidden=(64, 64),
    ),
    "trpo": lambda: logpi.trpo(
        num_envs=1,
        rollout_length=2048,
        discount=0.99,
        decay=0.95,
        max_kl=0.01,
        cg_iterations=15,
        damping=0.1,
        backtracks=10,
        backtrack_ratio=0.8,
        critic_learning_rate=1e-3,
        critic_epochs=10,
        critic_minibatch=128,
        hidden=(64, 64),
    ),
}


def main() -> None:
    """Train and print the figures."""
    env, steps, seed, algorithm = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    with tempfile.TemporaryDirectory() as out:
        run = logpi.train(env, RECIPES[algorithm](), steps=steps, seed=seed, out=Path(out) / "run", evaluations=0)
    names = ("steps_per_second", "compile_seconds", "return_mean")
    print(json.dumps({name: run.summary[name] for name in names} | {"version": metadata.version("logpi")}))


if __name__ == "__main__":
    main()
