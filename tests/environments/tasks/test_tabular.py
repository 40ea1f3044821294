"""An MDP as an environment: it moves as its tables say, ends where they say, and is worth what the oracle says."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import on_device
from helpers import mostly_slow

import logpi
from logpi.core.collection import Episodes
from logpi.distributions.categorical import Categorical
from logpi.environments.registry import check, find_backend
from logpi.environments.tasks.tabular import Tabular
from logpi.errors import LogpiError
from logpi.oracle import problems
from logpi.policies.behavior import Behavior

TASKS = find_backend("tabular:chain")[0].tasks


def table_policy(logits):
    """A policy that reads one row of logits a state."""
    return logpi.Policy(lambda obs: obs, lambda obs: obs @ logits, Categorical)


def played(mdp, logits, key, episodes, limit):
    environment = logpi.Vmap(Tabular(mdp), episodes, limit)
    return on_device(environment, Behavior(table_policy(logits)), Episodes(), key)


WORLDS = {
    "two-state": (problems.two_state(0.7), 30),
    "chain by time": (problems.chain(4, horizon=12), 12),
    "grid": (problems.grid(3, 0.2, gamma=0.7), 30),
    "random": (problems.random(1, gamma=0.7), 30),
    "cliff": (problems.cliff(2, 3, gamma=0.7), 30),
}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("name", mostly_slow(WORLDS, 2))
def test_the_mean_return_is_the_utility(name, key):
    """Monte Carlo by the library's own rollouts, within 4 standard errors of the oracle."""
    mdp, limit = WORLDS[name]
    logits = jr.normal(key, (mdp.states, mdp.actions))
    tau = played(mdp, logits, key, 4000, limit)
    gamma = np.asarray(mdp.gamma) ** np.asarray(tau.time)
    returns = np.where(tau.valid, gamma * np.asarray(tau.reward), 0).sum(axis=0)
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - mdp.utility(logits)) < 4 * error
    assert error < 0.1 * abs(mdp.utility(logits))


def test_it_moves_and_pays_as_its_tables_say(key):
    """Frequencies of starts and of s' after (s, a) within 5 standard errors; rewards and ends exact."""
    mdp = problems.random(2, states=4, actions=2, horizon=6)
    mdp = dataclasses.replace(mdp, terminal=np.array([False, False, False, True]), initial=[0.5, 0.25, 0.25, 0])
    tau = played(mdp, jnp.zeros((4, 2)), key, 8000, 6)
    valid, time = np.asarray(tau.valid), np.asarray(tau.time)
    s, a, after = (np.asarray(x) for x in (tau.obs.argmax(-1), tau.action, tau.next_obs.argmax(-1)))
    np.testing.assert_array_equal(np.asarray(tau.reward)[valid], np.asarray(mdp.reward)[s, a, after][valid])
    ended = (after == 3) | (time == 5)
    np.testing.assert_array_equal(np.asarray(tau.terminated)[valid], ended[valid])
    assert not np.asarray(tau.truncated)[valid].any()
    np.testing.assert_allclose(
        np.bincount(s[0], minlength=4) / s.shape[1], mdp.initial, atol=5 * 0.5 / s.shape[1] ** 0.5
    )
    for state, action in np.ndindex(3, 2):
        here = valid & (s == state) & (a == action)
        frequency = np.bincount(after[here], minlength=4) / here.sum()
        np.testing.assert_allclose(frequency, mdp.transition[state, action], atol=5 * 0.5 / here.sum() ** 0.5)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("task", TASKS)
def test_by_name(task, key):
    """Every named problem has a start, observations in its space, and a time limit."""
    name = f"tabular:{task}"
    check(name)
    environment = logpi.make(name, 3)
    assert environment.spec.name == name and environment.spec.time_limit == TASKS[task][1]
    state, obs = eqx.filter_jit(environment.reset)(key)
    _, step = eqx.filter_jit(environment.step)(key, state, jnp.zeros(3, jnp.int32))
    for x in (obs, step.obs, step.next_obs):
        assert x.shape == (3, *environment.spec.observation_space.shape) and np.all(x.sum(axis=1) == 1)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(LogpiError, match=r"unknown environment tabular:maze; allowed: tabular:two-state, .*random$"):
        logpi.make("tabular:maze", 1)


def test_a_factory_of_an_own_mdp(key):
    """The horizon is the time limit; episodes need no other."""
    environment = logpi.make(lambda: Tabular(problems.two_state(horizon=5)), 4)
    assert environment.spec.time_limit == 5


@pytest.mark.slow
def test_ppo_solves_the_chain(tmp_path):
    """At least 95 % of what is optimal, exactly evaluated, from the name alone."""
    recipe = logpi.ppo(num_envs=8, num_steps=64, gamma=0.95, learning_rate="1e-2:0", epochs=4, minibatch_size=128)
    run = logpi.train("tabular:chain", recipe, steps=20_000, evaluations=0, out=tmp_path / "run")
    mdp = problems.chain()
    assert mdp.utility(run.policy) >= 0.95 * mdp.optimal().utility
