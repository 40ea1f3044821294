"""logpi, with the workers it takes by itself; see `report.py`."""

import tempfile
import time
from importlib import metadata
from pathlib import Path

from report import SAME, Watch, asked

ASKED = asked()

import logpi

TRPO = {"num_envs": 1, "num_steps": 2048, "gae_lambda": 0.95, "cg_iterations": 15, "critic_epochs": 10}
TRPO |= {"critic_minibatch_size": 128, "hidden": (64, 64)}  # sb3-contrib's own


def recipe():
    """The method at the settings asked for; those that are `best` are the ones tuned for the task."""
    if ASKED.algorithm == "trpo":
        return logpi.trpo(**TRPO)
    if ASKED.settings == "best":
        return logpi.ppo()
    s = SAME
    own = {"num_envs": s["environments"], "num_steps": s["steps"], "epochs": s["epochs"], "clip_range": s["clip_range"]}
    own |= {
        "minibatch_size": s["minibatch_size"],
        "learning_rate": s["rate"],
        "gamma": s["gamma"],
        "gae_lambda": s["gae_lambda"],
    }
    own |= {"max_grad_norm": s["norm"], "hidden": s["hidden"]}
    own |= {
        "normalize_advantages": True,
        "recompute_advantages": False,
        "initial_std": 1.0,
    }  # as the peers do; a task's own may differ
    return logpi.ppo(**own, normalize_observations=ASKED.normalized, normalize_returns=ASKED.normalized)


def main() -> None:
    """Train and print the figures. What an iteration's episodes returned counts once each, as their mean."""
    watch, episodes = Watch(ASKED), 0

    def listen(row: dict) -> None:
        nonlocal episodes
        if not episodes and row["iteration"] == 1:
            watch.started = time.time() - row["rollout_seconds"] - row["learn_seconds"]
        for _ in range(row["episodes"] - episodes):
            watch.episode(row["steps"], row["return_mean"])
        episodes = row["episodes"]

    with tempfile.TemporaryDirectory() as out:
        place = Path(out) / "run"
        run = logpi.train(
            ASKED.env, recipe(), steps=ASKED.steps, seed=ASKED.seed, out=place, evaluations=0, callbacks=[listen]
        )
    figures = run.summary
    watch.answer(figures["steps"], metadata.version("logpi"), figures["compile_seconds"], figures["train_seconds"])


if __name__ == "__main__":
    main()
