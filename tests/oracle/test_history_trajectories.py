"""All trajectories of a POMDP: probabilities sum to 1, returns to U, and estimates of the library to their means."""

import collections

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from paths import drawn_pomdp, episodes, recurrent

import logpi
from logpi.algorithms.batch import gradient
from logpi.errors import LogpiError
from logpi.objectives.score import score
from logpi.oracle.history_critics import expected_gae_gradient, observation_value
from logpi.oracle.history_trajectories import count
from logpi.oracle.pomdp import POMDP
from logpi.oracle.pomdp_problems import repeat_first, tiger
from logpi.oracle.tables import TableCritic, TablePolicy
from logpi.types import State


@pytest.fixture
def ending(double):
    """A POMDP that may end early, in which some paths of hidden states look the same."""
    drawn = drawn_pomdp(5)
    return POMDP(
        drawn.transition,
        np.round(drawn.reward),
        drawn.initial,
        drawn.observation,
        0.9,
        3,
        drawn.terminal,
        drawn.first_observation,
    )


def test_they_are_the_paths_that_look_different(ending, key):
    """Each with the sum of the probabilities of the paths behind it; π's part is in `log_prob`."""
    policy = recurrent(ending, key)
    expected = collections.Counter()
    for p, _, seen, actions, rewards in episodes(ending, policy):
        expected[tuple(seen), tuple(actions), tuple(map(float, rewards))] += p
    tau = ending.trajectories(policy)
    chance = np.exp(ending.log_probability(policy, tau))
    seen, after = np.asarray(tau.obs.argmax(-1)), np.asarray(tau.next_obs.argmax(-1))
    found = {}
    for i, n in enumerate(np.asarray(tau.valid).sum(axis=0)):
        assert np.asarray(tau.terminated)[:n, i].tolist() == [False] * (n - 1) + [True]
        assert np.array_equal(seen[1:n, i], after[: n - 1, i])
        rewards = tuple(np.asarray(tau.reward)[:n, i].tolist())
        found[(*seen[:n, i].tolist(), after[n - 1, i]), tuple(np.asarray(tau.action)[:n, i].tolist()), rewards] = i
    assert len(found) == tau.reward.shape[1] == count(ending, 10**6) and set(found) == set(expected)
    assert len(found) < sum(1 for _ in episodes(ending, policy))
    for episode, i in found.items():
        np.testing.assert_allclose(chance[i], expected[episode], rtol=1e-10)


def test_the_mean_estimate_with_a_critic_is_the_expected_one(ending, key):
    """The library's TD residual with V(o), γ^t before it, on every trajectory: ∇U and the bias that is computed."""
    policy = TablePolicy(jr.normal(key, (2, 2), float))
    value, tree = observation_value(ending, policy), ending.histories()
    critic = TableCritic(jnp.stack([value[tree.find(o)] for o in range(2)]))
    tau = ending.trajectories(policy)
    chance = jnp.exp(ending.log_probability(policy, tau))
    credit = logpi.TimeDiscounted(logpi.GAE(0.9, 0.5), 0.9)
    state = State(policy, critic, (), ())

    @jax.jit
    def estimates(tau):
        columns = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0)[:, :, None], tau)
        return jax.lax.map(lambda column: gradient(credit, score, state, column).logits, columns)

    mean = jnp.tensordot(chance, estimates(tau), 1)
    expected = expected_gae_gradient(ending, policy, value, 0.5).logits
    np.testing.assert_allclose(mean, expected, rtol=1e-9)
    assert not np.allclose(mean, ending.gradient(policy).logits, rtol=1e-3)


@pytest.mark.parametrize("pomdp", [tiger(horizon=3), repeat_first(3, 2)], ids=["tiger", "repeat-first"])
def test_probabilities_sum_to_one_and_returns_to_the_utility(pomdp, key):
    policy = recurrent(pomdp, key)
    tau = pomdp.trajectories(policy)
    chance = jnp.exp(pomdp.log_probability(policy, tau))
    gamma = pomdp.gamma ** tau.time.astype(float)
    np.testing.assert_allclose(chance.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(chance @ jnp.sum(gamma * tau.reward, axis=0), pomdp.utility(policy), rtol=1e-4)


def test_what_cannot_be_enumerated_says_so():
    policy = jnp.zeros((3, 3))
    with pytest.raises(LogpiError, match="only with a horizon"):
        tiger().trajectories(policy)
    with pytest.raises(LogpiError, match="the POMDP has more than 50 trajectories; allowed: at most 50, or a larger"):
        tiger(horizon=3).trajectories(policy, at_most=50)
