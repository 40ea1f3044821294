"""Three iterations of a method, and over how many devices they were spread; also as a program of its own."""

import json
import sys

import jax
import numpy as np

import logpi
from logpi.training import driver

SMALL = {"num_envs": 8, "hidden": (8,)}
RECIPES = {
    "ppo": logpi.ppo(**SMALL, num_steps=16, minibatch_size=32, epochs=2),
    "apart": logpi.ppo(**SMALL, num_steps=16, minibatch_size=32, epochs=2, separate_optimizers=True),
    "trpo": logpi.trpo(**SMALL, num_steps=16),
    "reinforce": logpi.reinforce(**SMALL, episodes=1, max_episode_steps=20),
}


def trained(out, algorithm):
    """{devices, networks, returns} after three iterations."""
    devices, shard = [], driver.shard

    def watched(*given):
        carry = shard(*given)
        devices.append(len(carry.partial_returns.high.sharding.device_set))
        return carry

    third = lambda row: row["iteration"] == 3
    driver.shard = watched
    try:
        recipe = RECIPES[algorithm]
        run = logpi.train("logpi:CartPole-v1", recipe, steps=480, out=out, evaluations=1, callbacks=[third])
    finally:
        driver.shard = shard
    flat = np.concatenate([np.ravel(x) for x in jax.tree.leaves((run.policy, run.critic))])
    returns = [row["return_mean"] for row in run.metrics]
    return {"devices": devices, "networks": flat.tolist(), "returns": returns}


if __name__ == "__main__":
    print(json.dumps(trained(*sys.argv[1:])))
