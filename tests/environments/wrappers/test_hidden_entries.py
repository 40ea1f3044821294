"""Hidden entries: the same episodes with fewer columns, on every backend, and in everything that a run does."""

import functools
import json
import pickle

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import logpi
from logpi.cli.main import main
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.protocol import HostEnvironment, Restartable, SteppableCopies
from logpi.environments.registry import make
from logpi.environments.source import ChangedSinceMade, EnvironmentId, HiddenEntries, mark_changed, name_of, recreatable
from logpi.environments.wrappers.hidden_entries import hide_entries
from logpi.errors import LogpiError
from logpi.training.plan import open_environment


class Digits(gymnasium.Env):
    """Shows (episode's draw, steps, 10 · action) and ends after three steps."""

    observation_space = spaces.Box(np.array([0, 0, -10], np.float32), np.array([1, 3, 10], np.float32))
    action_space = spaces.Discrete(2)

    def __init__(self, ends=3):
        self.ends = ends

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.draw = 0, self.np_random.random()
        return np.array([self.draw, 0, 0], np.float32), {}

    def step(self, action):
        self.steps += 1
        obs = np.array([self.draw, self.steps, 10 * action], np.float32)
        return obs, float(self.steps), self.steps >= self.ends, False, {}


def vector(mode):
    return SyncVectorEnv([Digits] * 3, autoreset_mode=mode)


class Restarts:
    """Environments that can begin a given episode, and whose copies are not stepped one by one."""

    def __init__(self):
        self._inner = Gymnasium(Digits, 3, "restarts")
        self.spec = self._inner.spec
        self.reset, self.step, self.restart, self.close = (
            getattr(self._inner, name) for name in ("reset", "step", "restart", "close")
        )

    @property
    def episode(self):
        return self._inner.episode


HOST = {
    "factory": lambda: Digits,
    "same step": lambda: vector(AutoresetMode.SAME_STEP),
    "next step": lambda: vector(AutoresetMode.NEXT_STEP),
    "disabled": lambda: vector(AutoresetMode.DISABLED),
    "own": Restarts,
}


def steps(environment, count=5):
    """First observations, and `count` steps with alternating actions; the second copy is idle in the last one."""
    results = [environment.reset(7)]
    for t in range(count):
        step = environment.step(np.full(3, t % 2), np.array([False, t == count - 1, False]))
        results.append(step._replace(obs=np.copy(step.obs), next_obs=np.copy(step.next_obs)))
    return results


@pytest.mark.parametrize("backend", HOST)
def test_the_episodes_are_the_same_on_the_host(backend):
    """Visible entries, first and true last observations among them; rewards and ends unchanged."""
    whole, hidden = make(HOST[backend](), 3), make(HiddenEntries(HOST[backend](), (1,)), 3)
    assert hidden.spec.observation_space == spaces.Box(np.float32([0, -10]), np.float32([1, 10]))
    (first, *expected), (seen, *given) = steps(whole), steps(hidden)
    np.testing.assert_array_equal(seen, first[:, [0, 2]])
    for a, b in zip(expected, given, strict=True):
        rows = a.valid  # of an idle copy, or an autoreset's own step, nothing is promised
        np.testing.assert_array_equal(b.obs[rows], a.obs[rows][:, [0, 2]])
        np.testing.assert_array_equal(b.next_obs[rows], a.next_obs[rows][:, [0, 2]])
        for x, y in zip(a[2:], b[2:], strict=True):
            np.testing.assert_array_equal(x, y)
    assert any(step.terminated.any() for step in given)
    for protocol in (HostEnvironment, Restartable, SteppableCopies):
        assert isinstance(whole, protocol) == isinstance(hidden, protocol)
    whole.close(), hidden.close()


def test_the_episodes_are_the_same_on_the_device(key):
    whole, hidden = make("logpi:CartPole-v1", 4), make("logpi:CartPoleNoVelocity-v1", 4)
    assert hidden.spec.name == "logpi:CartPoleNoVelocity-v1" and hidden.spec.time_limit == 500
    np.testing.assert_array_equal(hidden.spec.observation_space.high, whole.spec.observation_space.high[[0, 2]])
    (a, first), (b, seen) = whole.reset(key), hidden.reset(key)
    np.testing.assert_array_equal(seen, first[:, [0, 2]])
    _, expected = whole.step(key, a, jnp.zeros(4, jnp.int32))
    _, given = hidden.step(key, b, jnp.zeros(4, jnp.int32))
    np.testing.assert_array_equal(given.obs, expected.obs[:, [0, 2]])
    np.testing.assert_array_equal(given.next_obs, expected.next_obs[:, [0, 2]])


def test_the_pendulum_shows_its_angle_alone(key):
    environment = make("logpi:PendulumNoVelocity-v1", 2)
    obs = environment.reset(key)[1]
    assert environment.spec.time_limit == 200
    np.testing.assert_allclose(jnp.sum(obs**2, axis=1), 1, rtol=1e-6)


def test_copies_are_stepped_one_by_one():
    """`advance` and `begin` write the rows they are told to, and no others."""
    environment = make(HiddenEntries(Digits, (0,)), 3)
    environment.reset(0)
    rows, reward = np.full((3, 2), -1, np.float32), np.zeros(3, np.float32)
    assert environment.advance(np.ones(3, int), rows, reward, [2]) == []
    assert rows.tolist() == [[-1, -1], [-1, -1], [1, 10]]
    environment.begin([0], rows)
    assert rows.tolist() == [[0, 0], [-1, -1], [1, 10]]
    environment.restarts = 2
    assert (environment.restarts, environment.restarted, environment.example().shape) == (2, 0, (3, 2))


def test_another_process_makes_the_same_copies():
    environment = make(HiddenEntries(Digits, (1,)), 3)
    shard = pickle.loads(pickle.dumps(environment.shard(1, 2)))()
    np.testing.assert_array_equal(shard.reset(5), environment.reset(5)[1:])
    np.testing.assert_array_equal(shard.restart(5, np.array([1, 0])), environment.restart(5, np.array([0, 1, 0]))[1:])
    ready = make(HiddenEntries(gymnasium.make("CartPole-v1"), (1,)), 1)
    assert ready.shard(0, 1) is None


def test_it_is_named_and_made_again_as_the_environment_inside():
    source = HiddenEntries("CartPole-v1", [np.int64(3), 1])
    assert (name_of(source), source.entries) == ("CartPole-v1", (3, 1))
    made = HiddenEntries(gymnasium.make("CartPole-v1", sutton_barto_reward=True), (1, 3))
    again = recreatable(made)
    assert again.entries == (1, 3) and again.env().unwrapped._sutton_barto_reward
    environment = make(HiddenEntries(functools.partial(Digits, ends=9), (1,)), 2, 4, {"ends": 2})
    environment.reset(0)
    assert [environment.step(np.zeros(2, int), np.zeros(2, bool)).terminated[0] for _ in range(2)] == [False, True]
    changed = gymnasium.make("CartPole-v1")
    changed.unwrapped.gravity = 1.0
    marked = mark_changed(HiddenEntries(changed, (1, 3)))
    assert isinstance(marked.env, ChangedSinceMade) and marked.entries == (1, 3) and recreatable(marked) is None


def test_copies_of_an_environment_that_exists_are_hidden_too():
    from contextlib import ExitStack

    with ExitStack() as stack:
        environment = open_environment(HiddenEntries(gymnasium.make("CartPole-v1"), (1, 3)), 3, None, stack)
        assert environment.spec.num_envs == 3 and environment.reset(0).shape == (3, 2)


@pytest.mark.parametrize("entries", [(), (1, 1), (-1,), (1.5,), "x", (True,)])
def test_what_is_no_index_says_so(entries):
    with pytest.raises(LogpiError, match=r"hide is .*; allowed: indices of entries of the observation, from 0"):
        HiddenEntries("CartPole-v1", entries)


def test_entries_are_hidden_at_once():
    with pytest.raises(LogpiError, match="hides entries already; allowed: all of them in one HiddenEntries"):
        HiddenEntries(HiddenEntries("CartPole-v1", (1,)), (0,))


WRONG = {
    "hide is 7, and an observation of logpi:CartPole-v1 has 4 entries; allowed: 0 … 3": ("logpi:CartPole-v1", (7,)),
    "hide is 0,1,2,3, which are all entries": ("CartPole-v1", (0, 1, 2, 3)),
    r"hide is 0, and the observation space of FrozenLake-v1 is Discrete\(16\); allowed: a Box of one dim": (
        EnvironmentId("FrozenLake-v1"),
        (0,),
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_entries_that_the_space_does_not_have_say_so(message):
    with pytest.raises(LogpiError, match=message):
        make(HiddenEntries(*WRONG[message]), 1)


def test_the_dtype_stays():
    class Whole(Digits):
        observation_space = spaces.Box(0, 255, (3,), np.uint8)

        def reset(self, **options):
            return np.arange(3, dtype=np.uint8), {}

    environment = hide_entries(Gymnasium(Whole, 1), (1,))
    assert environment.spec.observation_space.dtype == np.uint8
    assert environment.reset(0).dtype == np.uint8 and environment.reset(0).tolist() == [[0, 2]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run of the command line on the host, and what it printed."""
    path = tmp_path_factory.mktemp("hidden") / "run"
    words = "--hide 1,3 --env-arg sutton_barto_reward=True --workers 0 --evaluations 1".split()
    size = "--num-envs 4 --max-episode-steps 20 --steps 80".split()
    assert main(["train", "CartPole-v1", "ars", *words, *size, "--out", str(path)]) == 0
    return path


def test_a_run_keeps_what_it_hides(run, capsys):
    """Its evaluations, `evaluate` and `resume` hide the same; run.json says which."""
    config = json.loads((run / "run.json").read_text())
    assert (config["environment"], config["hide"]) == ("CartPole-v1", [1, 3])
    assert logpi.load(run).policy(jnp.zeros(2)).logits.shape == (2,)
    assert main(["evaluate", str(run), "--episodes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"] <= 0  # the run's arguments hold, too
    assert main(["resume", str(run), "--steps", "160", "--workers", "0"]) == 0
    config = json.loads((run / "run.json").read_text())
    assert (config["steps"], config["hide"]) == (160, [1, 3])


def test_another_environment_hides_what_is_asked_for(run, capsys):
    """The policy plays on the device, whole only where two entries are left."""
    words = ["evaluate", str(run), "--episodes", "2"]
    assert main([*words, "--env", "logpi:CartPole-v1", "--hide", "1,3"]) == 0
    assert main([*words, "--env", "logpi:CartPoleNoVelocity-v1"]) == 0
    capsys.readouterr()
    for rest, line in {
        ("--env", "logpi:CartPole-v1"): "observation",
        ("--hide", "1"): "observation",
        ("--hide", "1,9"): "hide is 1,9, and an observation of CartPole-v1 has 4 entries; allowed: 0 … 3",
        ("--hide", "a"): "it is a; allowed: a whole number ≥ 0",
        ("--hide", "1,1"): "hide is (1, 1); allowed",
    }.items():
        assert main([*words, *rest]) == 2
        assert line in capsys.readouterr().err


@pytest.mark.thorough
def test_workers_change_no_bit(tmp_path):
    recipe = logpi.ppo(num_envs=4, num_steps=8, minibatch_size=32, epochs=1, hidden=4)
    rows = []
    for workers in (0, 2):
        path = tmp_path / str(workers)
        env = HiddenEntries("CartPole-v1", (1, 3))
        logpi.train(env, recipe, steps=64, evaluations=0, workers=workers, out=path)
        lines = (path / "metrics.jsonl").read_text().splitlines()
        rows.append([{k: v for k, v in json.loads(line).items() if "second" not in k} for line in lines])
    assert rows[0] == rows[1]


@pytest.mark.thorough
def test_several_seeds_at_once(tmp_path):
    recipe = logpi.ppo(num_envs=4, num_steps=8, minibatch_size=32, epochs=1, hidden=4)
    source = HiddenEntries("logpi:CartPole-v1", (1, 3))
    runs = logpi.train_seeds(source, recipe, seeds=range(2), steps=64, evaluations=0, out=tmp_path)
    assert [json.loads((run.directory / "run.json").read_text())["hide"] for run in runs] == [[1, 3]] * 2
