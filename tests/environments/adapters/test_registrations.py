"""Registrations: another process knows the ids that were registered here, and no others change."""

import copy
import os
import subprocess
import sys
import threading

import cloudpickle
import gymnasium
import pytest
from builders import Jitter

from logpi.environments.adapters.registrations import registrations

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
OTHER = """
import sys, pickle, warnings
import gymnasium
warnings.simplefilter("error")
known = dict(gymnasium.registry)
registered, factory = pickle.load(sys.stdin.buffer)
env = registered.make(factory)
assert {name: gymnasium.registry[name] for name in known if name != "CartPole-v1"} == {
    name: spec for name, spec in known.items() if name != "CartPole-v1"
}
print(env.spec.id, env.spec.max_episode_steps)
"""


@pytest.fixture
def registry():
    before = copy.deepcopy(gymnasium.registry)
    yield gymnasium.registry
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def test_another_process_makes_what_was_registered_here(registry):
    class Mine(Jitter):
        """Known to no other process."""

    gymnasium.register("Mine-v0", Mine, max_episode_steps=7)
    registry["CartPole-v1"].max_episode_steps = 8  # instead of 500
    lock = threading.Lock()
    gymnasium.register("NotPicklable-v0", lambda: (lock, Mine())[1])
    for name, steps in {"Mine-v0": 7, "CartPole-v1": 8}.items():
        sent = cloudpickle.dumps((registrations(), lambda name=name: gymnasium.make(name)))
        done = subprocess.run([sys.executable, "-c", OTHER], input=sent, capture_output=True, env=ENVIRONMENT)
        assert done.stdout.decode().split() == [name, str(steps)], done.stderr.decode()


def test_what_is_registered_nowhere_stays_unknown():
    with pytest.raises(gymnasium.error.UnregisteredEnv):
        registrations().make(lambda: gymnasium.make("Nobodys-v0"))
