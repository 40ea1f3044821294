"""rejax's PPO, one program: `python run_rejax.py TASK N T EPOCHS MINIBATCHES STEPS SEED`."""

import json
import sys
import time
import warnings
from importlib import metadata

import jax
import numpy as np

warnings.filterwarnings("ignore")
from rejax import PPO
from report import SAME


def main() -> None:
    """Compile, train, print one JSON line; no evaluation but the one at the end, which is not timed."""
    task, sizes = sys.argv[1], [int(word) for word in sys.argv[2:]]
    environments, length, epochs, minibatches, steps, seed = sizes
    budget = steps // (environments * length) * environments * length
    learner = PPO.create(
        env=task,
        num_envs=environments,
        num_steps=length,
        num_epochs=epochs,
        num_minibatches=minibatches,
        learning_rate=SAME["rate"],
        gamma=SAME["gamma"],
        gae_lambda=SAME["gae_lambda"],
        clip_eps=SAME["clip_range"],
        max_grad_norm=SAME["norm"],
        ent_coef=0.0,
        vf_coef=0.5,
        agent_kwargs={"activation": "tanh"},
        total_timesteps=budget,
        eval_freq=budget,
        skip_initial_evaluation=True,
    )
    quiet = learner.replace(eval_callback=lambda *_: ())
    began = time.perf_counter()
    program = jax.jit(quiet.train).lower(jax.random.PRNGKey(seed)).compile()
    compiled = time.perf_counter()
    state, _ = jax.block_until_ready(program(jax.random.PRNGKey(seed)))
    seconds = time.perf_counter() - compiled
    returns = learner.eval_callback(learner, state, jax.random.PRNGKey(1))[1]
    figures = {"version": metadata.version("rejax"), "steps_per_second": budget / seconds}
    print(json.dumps(figures | {"compile_seconds": compiled - began, "return": float(np.mean(returns))}))


if __name__ == "__main__":
    main()
