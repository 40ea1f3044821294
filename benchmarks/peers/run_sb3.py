"""Stable-Baselines3's PPO, or sb3-contrib's TRPO at its own settings; see `report.py`."""

from importlib import metadata

from report import SAME, Watch, asked

ASKED = asked()

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

# rl-baselines3-zoo, hyperparams/ppo.yml, CartPole-v1
BEST = {"n_steps": 32, "batch_size": 256, "n_epochs": 20, "gamma": 0.98, "gae_lambda": 0.8}
BEST |= {"learning_rate": lambda left: 1e-3 * left, "clip_range": lambda left: 0.2 * left}


class Listener(BaseCallback):
    """Tells a watch of the episodes that end."""

    def __init__(self, watch: Watch):
        """`watch` is told."""
        BaseCallback.__init__(self)
        self.watch = watch

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" in info:
                self.watch.episode(self.num_timesteps, info["episode"]["r"])
        return True


def same() -> dict:
    """The shared settings, by their names here."""
    s = SAME
    own = {
        "n_steps": s["steps"],
        "batch_size": s["minibatch_size"],
        "n_epochs": s["epochs"],
        "learning_rate": s["rate"],
    }
    own |= {
        "gamma": s["gamma"],
        "gae_lambda": s["gae_lambda"],
        "clip_range": s["clip_range"],
        "max_grad_norm": s["norm"],
    }
    return own | {"policy_kwargs": {"net_arch": list(s["hidden"])}}


def model(env) -> tuple:
    """(the learner, the library it is from)."""
    if ASKED.algorithm == "trpo":
        from sb3_contrib import TRPO

        return TRPO("MlpPolicy", env, seed=ASKED.seed, device="cpu"), "sb3-contrib"
    options = BEST if ASKED.settings == "best" else same()
    return PPO("MlpPolicy", env, seed=ASKED.seed, device="cpu", **options), "stable-baselines3"


def main() -> None:
    """Train and print the figures."""
    torch.set_num_threads(1)
    env = make_vec_env(ASKED.env, n_envs=1 if ASKED.algorithm == "trpo" else 8, seed=ASKED.seed)
    learner, library = model(VecNormalize(env) if ASKED.normalized else env)
    watch = Watch(ASKED)
    learner.learn(ASKED.steps, callback=Listener(watch), log_interval=None)
    watch.answer(learner.num_timesteps, metadata.version(library))


if __name__ == "__main__":
    main()
