"""PureJaxRL's PPO on a gymnax task: `python run_purejaxrl.py TASK N T EPOCHS MINIBATCHES STEPS SEED`.

It is no package: the environment variable PUREJAXRL names the folder `purejaxrl` of a checkout.
"""

import json
import os
import sys
import time

from report import SAME

sys.path.insert(0, os.environ["PUREJAXRL"])

import jax
import numpy as np
from ppo import make_train


def main() -> None:
    """Compile, train, print one JSON line. The return is the mean over episodes that ended in the last tenth."""
    task, sizes = sys.argv[1], [int(word) for word in sys.argv[2:]]
    environments, length, epochs, minibatches, steps, seed = sizes
    settings = {"NUM_ENVS": environments, "NUM_STEPS": length, "UPDATE_EPOCHS": epochs, "NUM_MINIBATCHES": minibatches}
    settings |= {"TOTAL_TIMESTEPS": steps, "ENV_NAME": task, "ACTIVATION": "tanh", "ANNEAL_LR": False, "DEBUG": False}
    settings |= {
        "LR": SAME["rate"],
        "GAMMA": SAME["gamma"],
        "GAE_LAMBDA": SAME["gae_lambda"],
        "CLIP_EPS": SAME["clip_range"],
    }
    settings |= {"MAX_GRAD_NORM": SAME["norm"], "ENT_COEF": 0.0, "VF_COEF": 0.5}
    began = time.perf_counter()
    program = jax.jit(make_train(settings)).lower(jax.random.PRNGKey(seed)).compile()
    compiled = time.perf_counter()
    out = jax.block_until_ready(program(jax.random.PRNGKey(seed)))
    seconds = time.perf_counter() - compiled
    metric = out["metrics"]
    late = slice(int(0.9 * len(metric["returned_episode"])), None)
    ended = np.asarray(metric["returned_episode"][late])
    gain = float(np.asarray(metric["returned_episode_returns"][late])[ended].mean())
    taken = steps // (environments * length) * environments * length
    figures = {"version": "checkout", "steps_per_second": taken / seconds, "compile_seconds": compiled - began}
    print(json.dumps(figures | {"return": gain}))


if __name__ == "__main__":
    main()
