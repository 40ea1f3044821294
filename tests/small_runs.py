"""Training runs small enough for a test, and hashes that tell whether two runs are the same."""

import hashlib
import json

import jax
import numpy as np

import logpi

TINY = {"num_envs": 4, "num_steps": 16, "epochs": 2, "minibatch_size": 16, "hidden": (8,)}


def trained(tmp_path, env="logpi:CartPole-v1", **changes):
    options = {"steps": 6 * 64, "seed": 0, "evaluations": 0, "out": tmp_path} | changes
    return logpi.train(env, logpi.ppo(**TINY), **options)


def fingerprint(run):
    """A hash of the parameters, and one of the metrics without what the clock says."""
    arrays = [np.asarray(x).tobytes() for x in jax.tree.leaves((run.policy, run.critic)) if hasattr(x, "dtype")]
    timeless = [{k: v for k, v in row.items() if "second" not in k} for row in run.metrics]
    digest = lambda data: hashlib.sha256(data).hexdigest()
    return digest(b"".join(arrays)), digest(json.dumps(timeless).encode())
