"""The registry: backends of strangers, Gymnasium's ids in modules, arguments, and what is created once more."""

import functools
import subprocess
import sys
from importlib import metadata

import gymnasium
import jaxtyping
import numpy as np
import pytest
from builders import Jitter, Walk
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

import logpi
from logpi.environments import EnvironmentBackend, EnvironmentId, registry
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.registry import check, import_modules, make, names, names_a_module, register
from logpi.environments.source import arguments_of, name_of, recorded_arguments, recreatable, with_arguments
from logpi.errors import LogpiError


class Mazes(EnvironmentBackend):
    """A stranger's backend: one task of Gymnasium's and one in JAX."""

    def names(self):
        return ["Host-v0", "Device-v0"]

    def make(self, task, num_envs, time_limit, **arguments):
        return functools.partial(Jitter, **arguments) if task == "Host-v0" else Walk(**arguments)


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """Leaves the registry as it was."""
    monkeypatch.setattr(registry, "_backends", dict(registry._backends))
    monkeypatch.setattr(registry, "_imported", set())


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A user's module that registers a Gymnasium id."""
    source = """
import gymnasium

class Room(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, size=3):
        self.size, self.steps = size, 0

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self.observation_space.low, {}

    def step(self, action):
        self.steps += 1
        return self.observation_space.high, 1.0, self.steps == self.size, False, {}

gymnasium.register("Room-v0", entry_point="rooms_of_a_user:Room", max_episode_steps=50)
"""
    (tmp_path / "rooms_of_a_user.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield "rooms_of_a_user"
    sys.modules.pop("rooms_of_a_user", None)
    gymnasium.registry.pop("Room-v0", None)


def test_a_strangers_environments_are_known_by_name():
    register("maze", Mazes())
    check("maze:Host-v0")
    assert {"maze:Host-v0", "maze:Device-v0", "logpi:CartPole-v1", "CartPole-v1"} <= set(names())
    host, device = make("maze:Host-v0", 3, 5), make("maze:Device-v0", 2, 7)
    assert isinstance(host, Gymnasium) and (host.spec.name, host.spec.num_envs, host.spec.time_limit) == (
        "maze:Host-v0",
        3,
        5,
    )
    assert (device.spec.name, device.spec.num_envs, device.spec.time_limit) == ("maze:Device-v0", 2, 7)
    with pytest.raises(LogpiError, match="unknown environment maze:Hos-v0; did you mean maze:Host-v0"):
        check("maze:Hos-v0")
    assert not names_a_module("maze:Host-v0")


def test_a_backend_is_imported_when_it_is_asked_for():
    register("maze", f"{__name__}:Mazes")
    assert isinstance(registry._backends["maze"], str)
    check("maze:Device-v0")
    register("gone", "no_such_module:Backend")
    with pytest.raises(LogpiError, match="No module named 'no_such_module'"):
        check("gone:Any-v0")


def test_an_installed_package_declares_its_backend(tmp_path, monkeypatch):
    about = tmp_path / "maze-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: maze\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[logpi.environments]\nmaze = {__name__}:Mazes\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [entry.name for entry in metadata.entry_points(group="logpi.environments")] == ["maze"]
    check("maze:Device-v0")
    assert not names_a_module("maze:Device-v0")


@pytest.mark.parametrize("prefix", ["logpi", "gymnax"])
def test_a_prefix_belongs_to_one_backend(prefix):
    with pytest.raises(LogpiError, match=f"prefix {prefix} is taken"):
        register(prefix, Mazes())


@pytest.mark.parametrize("prefix", ["", "a:b", "1st"])
def test_a_prefix_is_a_word(prefix):
    with pytest.raises(LogpiError, match="allowed: letters"):
        register(prefix, Mazes())


def test_a_module_is_imported_for_the_ids_that_it_registers(module):
    name = f"{module}:Room-v0"
    assert names_a_module(name)
    environment = make(name, 2, arguments={"size": 5})
    assert (environment.spec.name, environment.spec.time_limit) == (name, 50)
    assert environment._envs[0].unwrapped.size == 5
    with pytest.raises(LogpiError, match=r"unknown environment rooms_of_a_user:Roof-v0.*allowed: a Gymnasium id"):
        check(f"{module}:Roof-v0")
    with pytest.raises(LogpiError, match="No module named 'no_such_module'"):
        check("no_such_module:Room-v0")


def test_a_module_that_the_user_imported_is_trusted_with_its_ids_alone(module):
    import_modules([module])
    check("Room-v0")
    assert not names_a_module(f"{module}:Room-v0") and names_a_module(f"{module}:Room")
    with pytest.raises(LogpiError, match="module no_such_module: No module named"):
        import_modules(["no_such_module"])


@pytest.mark.thorough
def test_worker_processes_make_the_environments_of_a_users_module(module, tmp_path):
    """They import nothing but what the factory names."""
    name = f"{module}:Room-v0"
    small = {"num_envs": 2, "num_steps": 16, "minibatch_size": 16, "epochs": 1, "hidden": (8,)}
    options = {"steps": 32, "evaluations": 0, "env_args": {"size": 4}}
    one, two = (
        logpi.train(name, logpi.ppo(**small), out=tmp_path / str(workers), workers=workers, **options)
        for workers in (0, 2)
    )
    assert one.metrics[0]["length_mean"] == two.metrics[0]["length_mean"] == 4


@pytest.mark.parametrize("env", ["CartPole-v1", "logpi:CartPole-v1", "tabular:chain"])
def test_arguments_that_an_environment_does_not_take_are_refused_in_one_line(env):
    with pytest.raises(LogpiError, match=f"environment {env}: its factory raised TypeError: .*nonsense"):
        make(env, 1, arguments={"nonsense": 1})


def test_arguments_reach_what_is_made():
    assert make("logpi:CartPole-v1", 2, arguments={"force": 5.0}).single.force == 5.0
    assert make("FrozenLake-v1", 2, arguments={"map_name": "8x8"}).spec.observation_space.n == 64
    assert make(EnvironmentId("FrozenLake-v1", {"map_name": "8x8"}), 2).spec.observation_space.n == 64
    assert make(lambda size: gymnasium.make("FrozenLake-v1", map_name=size), 2, arguments={"size": "8x8"})
    with pytest.raises(LogpiError, match="exists already and takes no arguments"):
        make(gymnasium.make("CartPole-v1"), 1, arguments={"x": 1})


class OldGym:
    """Of the library before Gymnasium, and no Gymnasium environment."""

    observation_space, action_space, spec = spaces.Box(-1, 1, (2,)), spaces.Discrete(2), None
    reset = lambda self: np.zeros(2, np.float32)
    step = lambda self, action: (np.zeros(2, np.float32), 1.0, False, {})


@pytest.mark.parametrize("source", [lambda: None, OldGym, OldGym(), lambda: OldGym(), None, object()])
def test_what_is_no_environment_is_refused_in_one_line(source, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # a user's call is not checked against its types
    with pytest.raises(LogpiError, match="which is no environment: it has no reset"):
        make(source, 2)


def test_later_arguments_replace_earlier_ones():
    twice = with_arguments(with_arguments("A-v0", {"x": 1, "y": 2}), {"y": 3})
    assert twice == EnvironmentId("A-v0", {"x": 1, "y": 3}) and name_of(twice) == "A-v0"


def test_an_environment_that_exists_is_made_again_as_it_is():
    lake = gymnasium.make("FrozenLake-v1", map_name="8x8", is_slippery=False, max_episode_steps=30)
    assert arguments_of(lake) == {"map_name": "8x8", "is_slippery": False, "max_episode_steps": 30}
    again = make(recreatable(lake), 2)
    assert again.spec.observation_space.n == 64 and again.spec.time_limit == 30
    assert arguments_of(gymnasium.make("CartPole-v1")) == {}
    many = SyncVectorEnv([lambda: gymnasium.make("FrozenLake-v1", map_name="8x8")] * 2)
    assert many.spec is None or make(recreatable(many), 2).spec.observation_space.n == 64


def test_with_its_wrappers_or_not_at_all():
    scaled = gymnasium.wrappers.RescaleObservation(gymnasium.make("MountainCar-v0"), -1, 1)
    assert arguments_of(scaled) is None
    assert make(recreatable(scaled), 2).spec.observation_space.high.max() == 1
    unknown = gymnasium.Wrapper(gymnasium.make("CartPole-v1"))
    assert arguments_of(unknown) is None and recreatable(unknown) is None


def test_arguments_that_json_cannot_hold_are_not_recorded():
    assert recorded_arguments(EnvironmentId("A-v0", {"size": [8, 8]})) == {"size": [8, 8]}
    assert recorded_arguments(EnvironmentId("A-v0", {"size": (8, 8)})) is None
    assert recorded_arguments(EnvironmentId("A-v0", {"reward": print})) is None


def test_looking_up_a_name_imports_no_jax():
    script = (
        "import sys, logpi.environments as e; e.check('logpi:CartPole-v1'); e.names(); sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
