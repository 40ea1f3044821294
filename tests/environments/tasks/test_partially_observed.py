"""A POMDP as an environment: it moves, shows and ends as its tables say, and is worth what the oracle says."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import on_device

import logpi
from logpi.core.collection import Episodes
from logpi.environments.registry import find_backend
from logpi.environments.source import EnvironmentId
from logpi.environments.tasks.partially_observed import PartiallyObserved
from logpi.errors import LogpiError
from logpi.oracle.pomdp import POMDP
from logpi.oracle.pomdp_problems import t_maze
from logpi.oracle.tables import TablePolicy
from logpi.policies.behavior import Behavior


def played(pomdp, policy, key, episodes):
    environment = logpi.Vmap(PartiallyObserved(pomdp), episodes, pomdp.horizon)
    return on_device(environment, Behavior(policy), Episodes(), key)


@pytest.fixture(scope="module")
def world():
    """Three states, the last one terminal; two actions; two observations; four steps.

    The first two states mostly change places, and which observation tells of which depends on the action before.
    """
    moves = np.array([[[0.1, 0.7, 0.2], [0.2, 0.7, 0.1]], [[0.8, 0.1, 0.1], [0.6, 0.1, 0.3]], [[0, 0, 1], [0, 0, 1]]])
    shows = np.array([[[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], [[0.1, 0.9], [0.7, 0.3], [0.5, 0.5]]])
    first = [[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]
    reward = np.random.default_rng(4).normal(size=(3, 2, 3))
    return POMDP(moves, reward, [0.7, 0.3, 0], shows, 0.9, 4, [False, False, True], first)


@pytest.fixture(scope="module")
def policy():
    """A table of logits [O, A]."""
    return TablePolicy(jnp.array([[1.0, -0.5], [-1.0, 0.3]]))


@pytest.fixture(scope="module")
def tau(world, policy):
    return played(world, policy, jr.key(20), 8000)


def test_the_mean_return_is_the_utility(world, policy, tau):
    gamma = np.asarray(world.gamma) ** np.asarray(tau.time)
    returns = np.where(tau.valid, gamma * np.asarray(tau.reward), 0).sum(axis=0)
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - world.utility(policy)) < 4 * error
    assert error < 0.1 * abs(world.utility(policy))


def test_sequences_of_observations_are_as_likely_as_the_oracle_says(world, policy, tau):
    """Frequencies of o_0, o_1, o_2 of episodes that last so long, within five standard errors."""
    tree, d = world.histories(), np.asarray(world.occupancy(policy)).sum(axis=-1)
    seen = np.asarray(tau.obs.argmax(axis=-1))[:3]
    lasts = np.asarray(tau.valid)[2]
    for h in np.ndindex(2, 2, 2):
        share = (lasts & (seen == np.array(h)[:, None]).all(axis=0)).mean()
        assert abs(share - d[tree.find(*h)] / 0.9**2) < 5 * 0.5 / 8000**0.5
    assert np.unique(seen[:, lasts], axis=1).shape[1] == 8


def test_it_terminates_where_the_state_does_and_at_the_horizon(tau):
    """The horizon is part of the POMDP: nothing is truncated."""
    valid = np.asarray(tau.valid)
    ends = np.asarray(tau.terminated) & valid
    assert not np.asarray(tau.truncated).any() and ends.sum(axis=0).tolist() == [1] * 8000
    assert 0 < ends[0].mean() < 0.9 and ends[3][valid[3]].all()


@pytest.mark.parametrize("task", find_backend("pomdp:tiger")[0].tasks)
def test_by_name(task, key):
    """Every named problem has a start and observations in its space."""
    environment = logpi.make(f"pomdp:{task}", 3)
    assert environment.spec.name == f"pomdp:{task}"
    _, obs = eqx.filter_jit(environment.reset)(key)
    assert obs.shape == (3, *environment.spec.observation_space.shape) and np.all(obs.sum(axis=1) == 1)


def test_arguments_of_the_problem_are_arguments_of_the_environment():
    environment = logpi.make(EnvironmentId("pomdp:repeat-first", {"delay": 32, "cues": 3}), 2)
    assert environment.spec.action_space.n == 3 and environment.single.time_limit == 33
    assert logpi.make(EnvironmentId("pomdp:t-maze", {"length": 2}), 2).single.pomdp.states == 7
    with pytest.raises(LogpiError, match="delay is -1; allowed"):
        logpi.make("pomdp:repeat-first", 1, arguments={"delay": -1})
    with pytest.raises(LogpiError, match=r"unknown environment pomdp:maze; did you mean pomdp:t-maze\?"):
        logpi.make("pomdp:maze", 1)


def test_the_name_is_listed():
    assert {"pomdp:tiger", "pomdp:t-maze", "pomdp:repeat-first"} <= set(logpi.environments.names())


def test_a_factory_of_an_own_pomdp():
    """The horizon is the time limit; episodes need no other."""
    make = lambda: PartiallyObserved(dataclasses.replace(t_maze(2), horizon=5))
    assert logpi.make(make, 4).spec.time_limit == 5
