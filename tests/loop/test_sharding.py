"""A run over several devices is the run over one: the environments are spread, the learning is the same."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import sharded_run


def trained(tmp_path, devices, algorithm, **environment):
    """What three iterations come to on so many CPU devices, in a process of their own."""
    given = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"} | environment
    command = [sys.executable, sharded_run.__file__, str(tmp_path / f"{algorithm}-{devices}"), algorithm]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["devices"] == [devices]
    return answer


def assert_alike(several, one):
    np.testing.assert_allclose(several["networks"], one["networks"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(several["returns"], one["returns"], rtol=1e-5)


def test_two_devices_learn_what_this_process_learns_on_one(tmp_path):
    """Within 1e-5 after three iterations, the first of which normalized advantages over all devices' rows."""
    one = sharded_run.trained(tmp_path / "here", "ppo")
    assert one["devices"] == [1]
    assert_alike(trained(tmp_path, 2, "ppo"), one)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "trpo", "reinforce"])
def test_more_devices_learn_the_same(tmp_path, algorithm):
    one = trained(tmp_path, 1, algorithm)
    for devices in (2, 4):
        assert_alike(trained(tmp_path, devices, algorithm), one)


@pytest.mark.thorough
@pytest.mark.parametrize("algorithm", ["apart", pytest.param("trpo", marks=pytest.mark.slow)])
def test_two_devices_that_learn_a_network_each_learn_what_one_does_to_the_last_bit(tmp_path, algorithm):
    """Each makes the whole rollout, learns π or V by itself, and is handed the other. Compiled as a run is."""
    as_a_run = {"XLA_FLAGS": "", "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
    one, two = (trained(tmp_path, devices, algorithm, **as_a_run) for devices in (1, 2))
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
