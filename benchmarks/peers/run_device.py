"""logpi on a gymnax task, compiled: `python run_device.py TASK N T EPOCHS MINIBATCHES STEPS SEED ppo|apart|trpo`.

`apart` is PPO with `separate_optimizers`: π and V learn by optimizers of their own, each on one of two CPU devices.
"""

import json
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import jax
from report import SAME

import logpi


def main() -> None:
    """Train as anyone would, print one JSON line. The return is the mean over episodes of the last tenth."""
    task, sizes = sys.argv[1], [int(word) for word in sys.argv[2:8]]
    environments, length, epochs, minibatches, steps, seed = sizes
    both = {"num_envs": environments, "num_steps": length, "hidden": SAME["hidden"]}
    both |= {"gamma": SAME["gamma"], "gae_lambda": SAME["gae_lambda"]}
    own = {"epochs": epochs, "minibatch_size": environments * length // minibatches, "learning_rate": SAME["rate"]}
    own |= {
        "clip_range": SAME["clip_range"],
        "vf_clip_range": SAME["clip_range"],
        "max_grad_norm": SAME["norm"],
    }  # the peers clip both
    if sys.argv[8] == "apart":
        jax.config.update("jax_num_cpu_devices", 2)
    apart = {"separate_optimizers": sys.argv[8] == "apart"}
    recipe = logpi.trpo(**both) if sys.argv[8] == "trpo" else logpi.ppo(**both, **own, **apart)
    with tempfile.TemporaryDirectory() as out:
        run = logpi.train(f"gymnax:{task}", recipe, steps=steps, seed=seed, out=Path(out) / "run", evaluations=0)
    figures = {name: run.summary[name] for name in ("steps_per_second", "compile_seconds")}
    late = [row for row in run.metrics if row["steps"] >= 0.9 * run.summary["steps"] and row["return_mean"] is not None]
    gain = sum(row["return_mean"] for row in late) / max(len(late), 1)
    print(json.dumps(figures | {"version": metadata.version("logpi"), "return": gain}))


if __name__ == "__main__":
    main()
