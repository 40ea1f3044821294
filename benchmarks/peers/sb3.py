"""Stable-Baselines3's PPO at the shared settings: `python sb3.py ENV STEPS SEED`, one JSON line."""

import json
import os
import sys
import time
from importlib import metadata

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env


def main() -> None:
    """Train and print the figures."""
    torch.set_num_threads(1)
    env = make_vec_env(sys.argv[1], n_envs=8, seed=int(sys.argv[3]))
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=256,
        batch_size=64,
        n_epochs=10,
        learning_rate=3e-4,
        gamma=0.99,
        gae_lambda=0.95,
        clip_range=0.2,
        max_grad_norm=0.5,
        policy_kwargs={"net_arch": [64, 64]},
        seed=int(sys.argv[3]),
        device="cpu",
        verbose=0,
    )
    started = time.perf_counter()
    model.learn(int(sys.argv[2]), log_interval=None)
    seconds = time.perf_counter() - started
    recent = float(np.mean([episode["r"] for episode in model.ep_info_buffer]))
    figures = {"steps_per_second": model.num_timesteps / seconds, "compile_seconds": 0.0, "return_mean": recent}
    print(json.dumps(figures | {"version": metadata.version("stable-baselines3")}))


if __name__ == "__main__":
    main()
