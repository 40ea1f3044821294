"""logpi's PPO at the shared settings: `python logpi.py ENV STEPS SEED`, one JSON line."""

import json
import sys
import tempfile
from importlib import metadata
from pathlib import Path

sys.path.pop(0)  # this file is called logpi, too

import logpi


def main() -> None:
    """Train and print the figures."""
    env, steps, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    recipe = logpi.ppo(
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
    )
    with tempfile.TemporaryDirectory() as out:
        run = logpi.train(env, recipe, steps=steps, seed=seed, out=Path(out) / "run", evaluations=0)
    names = ("steps_per_second", "compile_seconds", "return_mean")
    print(json.dumps({name: run.summary[name] for name in names} | {"version": metadata.version("logpi")}))


if __name__ == "__main__":
    main()
