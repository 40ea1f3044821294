"""sb3-contrib's TRPO at its own settings: `python sb3_contrib.py ENV STEPS SEED trpo`, one JSON line."""

import json
import os
import sys
import time
from importlib import metadata

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

sys.path.pop(0)  # this file is called sb3_contrib, too

import numpy as np
import torch
from sb3_contrib import TRPO
from stable_baselines3.common.env_util import make_vec_env


def main() -> None:
    """Train and print the figures: 1 × 2048 steps, δ 0.01, 15 CG iterations, critic 10 × minibatches of 128."""
    torch.set_num_threads(1)
    env = make_vec_env(sys.argv[1], n_envs=1, seed=int(sys.argv[3]))
    model = TRPO("MlpPolicy", env, seed=int(sys.argv[3]), device="cpu", verbose=0)
    started = time.perf_counter()
    model.learn(int(sys.argv[2]), log_interval=None)
    seconds = time.perf_counter() - started
    recent = float(np.mean([episode["r"] for episode in model.ep_info_buffer]))
    figures = {"steps_per_second": model.num_timesteps / seconds, "compile_seconds": 0.0, "return_mean": recent}
    print(json.dumps(figures | {"version": metadata.version("sb3-contrib")}))


if __name__ == "__main__":
    main()
