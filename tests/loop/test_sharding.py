"""A run over several devices is the run over one: the environments are spread, the learning is the same."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json, sys
import jax, numpy as np
import logpi
from logpi.training import driver
out, algorithm = sys.argv[1:]
small = {"num_envs": 8, "hidden": (8,)}
recipes = {
    "ppo": logpi.ppo(**small, num_steps=16, minibatch_size=32, epochs=2),
    "apart": logpi.ppo(**small, num_steps=16, minibatch_size=32, epochs=2, separate_optimizers=True),
    "trpo": logpi.trpo(**small, num_steps=16),
    "reinforce": logpi.reinforce(**small, episodes=1, max_episode_steps=20),
}
axes, sharding = [], driver.shard
def watched(*given):
    carry = sharding(*given)
    axes.append(len(carry.partial_returns.high.sharding.device_set))
    return carry
driver.shard = watched
third = lambda row: row["iteration"] == 3
run = logpi.train("logpi:CartPole-v1", recipes[algorithm], steps=480, out=out, evaluations=1, callbacks=[third])
flat = np.concatenate([np.ravel(x) for x in jax.tree.leaves((run.policy, run.critic))])
returns = [row["return_mean"] for row in run.metrics]
print(json.dumps({"devices": axes, "networks": flat.tolist(), "returns": returns}))
"""


def trained(tmp_path, devices, algorithm):
    """What three iterations come to on so many CPU devices."""
    given = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / f"{algorithm}-{devices}"), algorithm]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["devices"] == [devices]
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "trpo", "reinforce"])
def test_more_devices_learn_the_same(tmp_path, algorithm):
    """Within 1e-5 after three iterations, the first of which normalized advantages over all devices' rows."""
    one = trained(tmp_path, 1, algorithm)
    for devices in (2, 4):
        several = trained(tmp_path, devices, algorithm)
        np.testing.assert_allclose(several["networks"], one["networks"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(several["returns"], one["returns"], rtol=1e-5)


@pytest.mark.parametrize("algorithm", ["apart", pytest.param("trpo", marks=pytest.mark.slow)])
def test_two_devices_that_learn_a_network_each_learn_what_one_does_to_the_last_bit(tmp_path, algorithm):
    """Each makes the whole rollout, learns π or V by itself, and is handed the other."""
    one, two = (trained(tmp_path, devices, algorithm) for devices in (1, 2))
    assert one["networks"] == two["networks"] and one["returns"] == two["returns"]


IDLE = """
import logpi
from logpi.loop.sharding import idle_devices_message
from logpi.loop.vectorized import idle_member_devices_message
algorithm = logpi.ppo().algorithm(logpi.ppo().settings(""))
assert idle_devices_message(16, algorithm) is None and idle_member_devices_message(8) is None
print(idle_devices_message(6, algorithm))
print(idle_devices_message(16, algorithm, on_device=False))
print(idle_member_devices_message(6))
recipe = logpi.ppo(num_envs=6, num_steps=8, minibatch_size=16, epochs=1, hidden=(4,))
logpi.train("logpi:CartPole-v1", recipe, steps=48, out="run", evaluations=0)
"""


@pytest.mark.thorough
def test_devices_that_a_run_leaves_idle_are_named_with_the_option_that_uses_them(tmp_path):
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", IDLE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    line = "8 devices, num_envs 6: one device is used; choose a num_envs divisible by 8"
    assert done.stdout.splitlines()[:3] == [
        line,
        "8 devices: one is used; a run on host environments learns on one device",
        "8 devices, 6 runs: 6 used; choose a number of runs divisible by 8",
    ]
    assert done.stderr.splitlines().count(line) == 1
