"""Sources: an environment that exists is made again with all its arguments and wrappers, or not at all."""

import functools

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics, RescaleObservation, TimeLimit, TransformReward, vector

from logpi.environments.registry import make
from logpi.environments.source import (
    ChangedSinceMade,
    arguments_of,
    changed_attributes,
    recorded_arguments,
    recreatable,
)

ID = "SourceTestPay-v0"


class Pay(gymnasium.Env):
    """Each step pays the wage."""

    observation_space, action_space = spaces.Box(-1, 1, (1,)), spaces.Discrete(2)

    def __init__(self, wage=1.0, target=None):
        self.wage = wage

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), self.wage, False, False, {}


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register(ID, Pay, max_episode_steps=10)
    yield
    del gymnasium.registry[ID]


made = functools.partial(gymnasium.make, ID)
made_many = functools.partial(gymnasium.make_vec, ID, 2, vectorization_mode="sync")


def first_reward(source):
    environment = make(source, 2)
    environment.reset(0)
    n = environment.spec.num_envs
    return environment.step(np.zeros(n, int), np.zeros(n, bool)).reward[0]


@pytest.mark.parametrize(
    ("kind", "arguments", "wage", "limit"),
    [
        (lambda: made(), {}, 1, 10),
        (lambda: made(wage=7.0), {"wage": 7.0}, 7, 10),
        (lambda: made(wage=7.0, max_episode_steps=5), {"wage": 7.0, "max_episode_steps": 5}, 7, 5),
        (lambda: made(max_episode_steps=-1), {"max_episode_steps": -1}, 1, None),
        (lambda: made(wage=7.0).unwrapped, {"wage": 7.0, "max_episode_steps": -1}, 7, None),
        (lambda: TimeLimit(made(), 4), {"max_episode_steps": 4}, 1, 4),
        (lambda: made(wage=7.0, target=np.ones(2)), None, 7, 10),
        (lambda: TransformReward(made(wage=7.0), lambda reward: 1000 * reward), None, 7000, 10),
        (lambda: RescaleObservation(made(wage=7.0), -2, 2), None, 7, 10),
        (lambda: made_many(wage=7.0), None, 7, 10),
        (lambda: made_many(wrappers=[lambda env: TransformReward(env, lambda reward: 3 * reward)]), None, 3, 10),
    ],
)
def test_an_environment_is_made_again_with_its_arguments_and_wrappers(kind, arguments, wage, limit):
    env = kind()
    assert recorded_arguments(env) == arguments
    again = recreatable(env)
    assert first_reward(again) == wage == first_reward(env)
    assert make(again, 2).spec.time_limit == limit
    assert arguments is None or first_reward(lambda: gymnasium.make(ID, **arguments)) == wage


@pytest.mark.parametrize(
    "kind",
    [
        lambda: gymnasium.Wrapper(made()),  # does not record how it was made
        lambda: Pay(7.0),
        lambda: SyncVectorEnv([made] * 2),
        lambda: vector.RecordEpisodeStatistics(made_many()),
        lambda: make(ID, 2),
        lambda: RecordEpisodeStatistics(gymnasium.Wrapper(made())),
    ],
)
def test_or_not_at_all(kind):
    assert recreatable(kind()) is None and arguments_of(kind()) is None


def test_a_factory_is_its_own_source_and_no_name_makes_the_same():
    for factory in (Pay, lambda: Pay(7.0), functools.partial(Pay, 7.0), made):
        assert recreatable(factory) is factory and recorded_arguments(factory) is None
    jax_environment = make("logpi:CartPole-v1", 2, arguments={"force": 5.0})
    assert recreatable(jax_environment) is jax_environment and recorded_arguments(jax_environment) is None


def test_an_id_that_was_registered_anew_names_another_environment():
    env = made(wage=7.0)
    gymnasium.registry[ID].entry_point = lambda wage: Pay(2 * wage)
    assert recorded_arguments(env) is None and first_reward(recreatable(env)) == 7


def test_what_was_set_after_it_was_made_is_named():
    env = made(wage=7.0)
    assert changed_attributes(env) == [] == changed_attributes(TransformReward(made(), lambda reward: 2 * reward))
    env.unwrapped.wage = 8.0
    assert changed_attributes(env) == ["wage"] == changed_attributes(TransformReward(env, lambda reward: reward))
    changed = ChangedSinceMade(env, ["gravity"])
    assert recreatable(changed) is None and recorded_arguments(changed) is None
    env.reset()
    assert changed_attributes(env) == []  # what it holds now may come from its episode
    for other in (ID, made, lambda: env, Pay(), made_many()):
        assert changed_attributes(other) == []


def test_values_that_are_random_in_every_new_environment_count_as_no_change():
    class Random(Pay):
        def __init__(self):
            super().__init__()
            self.draw = float(np.random.default_rng().random())

    gymnasium.registry[ID].entry_point = Random
    assert changed_attributes(made()) == []
