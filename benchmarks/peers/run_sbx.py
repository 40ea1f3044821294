"""SBX's PPO, Stable-Baselines3's loop with an update in JAX; see `report.py`."""

from importlib import metadata

from report import SAME, Watch, asked

ASKED = asked()

import torch
from flax import linen
from run_sb3 import BEST, Listener, same
from sbx import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize


def main() -> None:
    """Train and print the figures."""
    torch.set_num_threads(1)
    env = make_vec_env(ASKED.env, n_envs=8, seed=ASKED.seed)
    networks = {"policy_kwargs": {"net_arch": list(SAME["hidden"]), "activation_fn": linen.tanh}}
    options = (BEST if ASKED.settings == "best" else same()) | networks
    learner = PPO("MlpPolicy", VecNormalize(env) if ASKED.normalized else env, seed=ASKED.seed, **options)
    watch = Watch(ASKED)
    learner.learn(ASKED.steps, callback=Listener(watch), log_interval=None)
    watch.answer(learner.num_timesteps, metadata.version("sbx-rl"))


if __name__ == "__main__":
    main()
