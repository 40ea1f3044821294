"""Critics where the state is hidden: which are unbiased to bootstrap from, and how far off the others are."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from paths import drawn_pomdp, episodes, recurrent, returns
from worlds import ending

from logpi.errors import LogpiError
from logpi.oracle.action_augmented import action_augmented
from logpi.oracle.history_critics import critic_bias, expected_gae_gradient, hidden_state_value, observation_value
from logpi.oracle.pomdp import POMDP
from logpi.oracle.tables import HistoryTable
from logpi.oracle.time_augmented import time_augmented
from logpi.types import ravel


@pytest.fixture
def pomdp(double):
    return drawn_pomdp(0)


@pytest.fixture
def policy(double, pomdp, key):
    return recurrent(pomdp, key)


def size(tree):
    return float(jnp.linalg.norm(ravel(tree)[0]))


def share(pomdp, policy, critic, gae_lambda=0.0):
    """The bias as a share of the gradient's length."""
    return size(critic_bias(pomdp, policy, critic, gae_lambda)) / size(pomdp.gradient(policy))


def test_any_critic_is_an_unbiased_baseline(pomdp, policy, key):
    """λ = 1: even numbers drawn for each history and state, which the policy does not see."""
    shape = pomdp.state_value(policy).shape
    for critic in (jr.normal(key, shape, float), jr.normal(key, shape[:2], float)):
        found = ravel(expected_gae_gradient(pomdp, policy, critic, 1.0))[0]
        np.testing.assert_allclose(found, ravel(pomdp.gradient(policy))[0], rtol=1e-9)
        assert share(pomdp, policy, critic) > 0.1


@pytest.mark.parametrize("gae_lambda", [0.0, 0.7])
def test_the_value_of_history_and_state_is_unbiased(pomdp, policy, gae_lambda):
    """Baisero and Amato 2022: V(h, s) may be bootstrapped from; V(o) and V(s) may not, less so the smaller λ is."""
    assert share(pomdp, policy, pomdp.state_value(policy), gae_lambda) < 1e-10
    for critic in (observation_value(pomdp, policy), hidden_state_value(pomdp, policy)):
        assert share(pomdp, policy, critic, gae_lambda) > 1e-3
        assert share(pomdp, policy, critic, 0.7) < share(pomdp, policy, critic, 0.0)


def test_the_value_of_a_history_needs_the_actions(pomdp, policy):
    """V(o_0 … o_t) is biased where the observations do not tell what was done, and unbiased where they do."""
    assert share(pomdp, policy, pomdp.value(policy)) > 1e-3
    shown = action_augmented(pomdp)
    remembers = recurrent(shown, jr.key(3))
    assert share(shown, remembers, shown.value(remembers)) < 1e-10
    assert share(shown, remembers, observation_value(shown, remembers)) > 1e-3


def test_where_nothing_is_hidden_the_observation_is_enough(double, key):
    """With state and time as the observation, V(o) is V(h), and unbiased."""
    mdp = time_augmented(ending(3))
    seen = POMDP(mdp.transition, mdp.reward, mdp.initial, np.eye(mdp.states), mdp.gamma, 3, mdp.terminal)
    logits = jr.normal(key, (mdp.states, mdp.actions), float)
    value = observation_value(seen, logits)
    np.testing.assert_allclose(value, seen.value(logits), atol=1e-12)
    assert share(seen, logits, value) < 1e-10


def test_values_of_one_observation_and_one_state_are_means_over_paths(pomdp, policy):
    """V(o) and V(s) from all paths, each visit weighted by γ^t and its probability."""
    of_observation, of_state = np.zeros((2, 2)), np.zeros((2, 3))
    for p, states, seen, actions, rewards in episodes(pomdp, policy):
        for t in range(len(actions)):
            weight = p * float(pomdp.gamma) ** t
            of_observation[:, seen[t]] += weight, weight * returns(pomdp, rewards, t)
            of_state[:, states[t]] += weight, weight * returns(pomdp, rewards, t)
    tree = pomdp.histories()
    value = np.asarray(observation_value(pomdp, policy))[tree.exists]
    np.testing.assert_allclose(value, (of_observation[1] / of_observation[0])[tree.observation[tree.exists]])
    expected = of_state[1, :2] / of_state[0, :2]
    np.testing.assert_allclose(hidden_state_value(pomdp, policy)[2, 3], [*expected, 0])


def test_the_bias_is_that_of_paths(pomdp, policy, key):
    """E Σ_t γ^t ∇log π Σ_l (γλ)^l δ_{t+l} from all paths, for a table of logits and drawn critics."""
    tree, gamma, lam = pomdp.histories(), float(pomdp.gamma), 0.6
    k_table, k_critic = jr.split(key)
    table = HistoryTable.of(tree, jr.normal(k_table, (*tree.exists.shape, 2), float))
    critic = np.asarray(jr.normal(k_critic, (*tree.exists.shape, 3), float))
    pi = np.asarray(jax.nn.softmax(table.logits))
    total = np.zeros(pi.shape)
    for p, states, seen, actions, rewards in episodes(pomdp, table):
        places = [tree.find(*seen[: t + 1]) for t in range(len(actions))]
        values = [*(critic[place][s] for place, s in zip(places, states, strict=False)), 0.0]
        delta = [r + gamma * values[t + 1] - values[t] for t, r in enumerate(rewards)]
        for t, (place, a) in enumerate(zip(places, actions, strict=True)):
            advantage = sum((gamma * lam) ** (i - t) * delta[i] for i in range(t, len(delta)))
            total[place] += p * gamma**t * advantage * (np.eye(2)[a] - pi[place])
    found = expected_gae_gradient(pomdp, table, jnp.asarray(critic), lam).logits
    np.testing.assert_allclose(found, total, atol=1e-12)


def test_a_critic_of_another_shape_says_so(pomdp, policy):
    with pytest.raises(LogpiError, match=r"the critic has shape \(2, 2\); allowed: \(3, 8\), or \(3, 8, 3\)"):
        expected_gae_gradient(pomdp, policy, jnp.zeros((2, 2)))
