"""The configuration of a run: which environment it goes on with, and that its spaces are those of the run."""

from pathlib import Path

import gymnasium
import pytest
from gymnasium import spaces

from logpi.environments.protocol import Spec
from logpi.environments.source import EnvironmentId
from logpi.errors import LogpiError
from logpi.runs.configuration import environment, require_spaces
from logpi.spaces.serialize import to_json

HERE = Path("here")


def run(name, arguments):
    return {"environment": name, "env_args": arguments}


def test_the_runs_own_environment_keeps_its_arguments_under_each_of_its_names():
    lake = run("FrozenLake-v1", {"map_name": "8x8"})
    assert environment(lake, HERE) == EnvironmentId("FrozenLake-v1", {"map_name": "8x8"})
    module = "gymnasium.envs:FrozenLake-v1"
    assert environment(lake, HERE, module) == EnvironmentId(module, {"map_name": "8x8"})
    assert environment(lake, HERE, None, {"map_name": "4x4"}) == EnvironmentId("FrozenLake-v1", {"map_name": "4x4"})


def test_another_environment_has_the_arguments_given_for_it_alone():
    assert environment(run("FrozenLake-v1", {"map_name": "8x8"}), HERE, "logpi:CartPole-v1") == "logpi:CartPole-v1"
    assert environment(run("logpi:CartPole-v1", {"force": 5.0}), HERE, "CartPole-v1") == "CartPole-v1"


@pytest.mark.parametrize("name", ["CartPole-v1", "<lambda>", "Pay", "SyncVectorEnv", "logpi:CartPole-v1"])
def test_what_run_json_cannot_hold_has_to_be_given_again(name):
    with pytest.raises(LogpiError, match=f"here was trained on {name}: a factory or an object"):
        environment(run(name, None), HERE)
    with pytest.raises(LogpiError, match="a factory or an object"):
        environment(run(name, None), HERE, None, {"some": "argument"})
    env = gymnasium.make("CartPole-v1")
    assert environment(run(name, None), HERE, env) is env
    assert environment(run(name, None), HERE, name, {"x": 1}) == EnvironmentId(name, {"x": 1})


def test_a_run_goes_on_with_spaces_and_action_bounds_of_its_own():
    seen, acted = spaces.Box(-1, 1, (2,)), spaces.Box(-1, 1, (1,))
    config = {"spaces": {"observation": to_json(seen), "action": to_json(acted)}}
    require_spaces(config, HERE, Spec("Task-v0", 1, spaces.Box(-9, 9, (2,)), acted))
    with pytest.raises(LogpiError, match=r"Task-v0 does not fit the run: its observation is Box\(3,\) of numbers"):
        require_spaces(config, HERE, Spec("Task-v0", 1, spaces.Box(-1, 1, (3,)), acted))
    with pytest.raises(LogpiError, match=r"Task-v0 does not fit the run in here: its actions are Box\(-2.0, 2.0"):
        require_spaces(config, HERE, Spec("Task-v0", 1, seen, spaces.Box(-2, 2, (1,))))
