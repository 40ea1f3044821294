"""U, ∇U, V and Q of policies with memory, against every path played one after the other, and against MDPs."""

import collections

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from paths import brute_utility, drawn_pomdp, episodes, recurrent, returns
from worlds import ending

from logpi.errors import LogpiError
from logpi.oracle.pomdp import POMDP
from logpi.oracle.pomdp_problems import t_maze, tiger
from logpi.oracle.tables import HistoryTable
from logpi.types import ravel


@pytest.fixture
def pomdp(double):
    return drawn_pomdp(0)


@pytest.fixture
def policy(double, pomdp, key):
    return recurrent(pomdp, key)


def test_utility_is_that_of_every_path(pomdp, policy):
    np.testing.assert_allclose(pomdp.utility(policy), brute_utility(pomdp, policy), rtol=1e-12)


@pytest.mark.thorough
def test_utility_of_the_tiger_is_that_of_every_path(double, key):
    """Tables with zeros, whose impossible histories are left out."""
    pomdp = tiger(horizon=3)
    policy = recurrent(pomdp, key)
    np.testing.assert_allclose(pomdp.utility(policy), brute_utility(pomdp, policy), rtol=1e-12)


def test_gradient_is_a_finite_difference_of_every_path(pomdp, policy, key):
    theta, unravel = ravel(policy)
    gradient = ravel(pomdp.gradient(policy))[0]
    assert gradient.shape == theta.shape
    for k in jr.split(key, 3):
        way = 1e-5 * jr.normal(k, theta.shape, float)
        difference = brute_utility(pomdp, unravel(theta + way)) - brute_utility(pomdp, unravel(theta - way))
        np.testing.assert_allclose(2 * way @ gradient, difference, rtol=1e-7)


def test_values_are_means_over_paths(pomdp, policy):
    """V(h), V(h, s) and Q(h, s, a) are conditional means of the return that follows; d(h, s) their γ^t P(h, s)."""
    sums = collections.defaultdict(lambda: np.zeros(2))
    for p, states, seen, actions, rewards in episodes(pomdp, policy):
        for t, action in enumerate(actions):
            h = tuple(seen[: t + 1])
            for case in (h, (h, states[t]), (h, states[t], action)):
                sums[case] += p, p * returns(pomdp, rewards, t)
    tree = pomdp.histories()
    assert tree.exists.sum(axis=1).tolist() == [2, 4, 8]
    value, of_state, of_action = pomdp.value(policy), pomdp.state_value(policy), pomdp.state_action_value(policy)
    for h in (case for case in sums if not isinstance(case[0], tuple)):
        place = tree.find(*h)
        np.testing.assert_allclose(value[place], sums[h][1] / sums[h][0], rtol=1e-10)
        for s in range(2):
            chance, total = sums[h, s]
            np.testing.assert_allclose(of_state[place][s], total / chance, rtol=1e-10)
            np.testing.assert_allclose(
                pomdp.occupancy(policy)[place][s], float(pomdp.gamma) ** place[0] * chance, rtol=1e-10
            )
            for a in range(2):
                np.testing.assert_allclose(of_action[place][s, a], np.divide(*sums[h, s, a][::-1]), rtol=1e-10)


def test_the_policy_gradient_theorem(pomdp, policy):
    """∇U = Σ_h Σ_s d(h, s) Σ_a π(a|h) Q(h, s, a) ∇log π(a|h), by the scores of a table of logits."""
    tree = pomdp.histories()
    table = HistoryTable.of(tree, jr.normal(jr.key(1), (*tree.exists.shape, 2), float))
    pi = jax.nn.softmax(table.logits)
    mean_q = jnp.einsum("tns,tnsa->tna", pomdp.occupancy(table), pomdp.state_action_value(table))
    expected = pi * (mean_q - jnp.sum(pi * mean_q, axis=-1, keepdims=True))
    np.testing.assert_allclose(pomdp.gradient(table).logits, expected, atol=1e-12)


@pytest.mark.thorough
def test_the_fisher_matrix_is_that_of_the_scores(pomdp, policy):
    """F for a table of logits is block-diagonal: d(h) (diag π − π πᵀ) / Σ d."""
    tree = pomdp.histories()
    table = HistoryTable.of(tree, jr.normal(jr.key(1), (*tree.exists.shape, 2), float))
    pi, d = jax.nn.softmax(table.logits), jnp.sum(pomdp.occupancy(table), axis=-1)
    pi, d = np.asarray(pi), np.asarray(d)
    blocks = (np.eye(2) * pi[..., None] - pi[..., None] * pi[..., None, :]) * (d / d.sum())[..., None, None]
    expected = jax.scipy.linalg.block_diag(*blocks.reshape(-1, 2, 2))
    np.testing.assert_allclose(pomdp.fisher(table), expected, atol=1e-12)


def test_where_the_state_is_seen_it_is_the_mdp(double, key):
    """With the observation equal to the state: the same U, ∇U and V."""
    mdp = ending(3)
    seen = POMDP(mdp.transition, mdp.reward, mdp.initial, np.eye(3), mdp.gamma, 3, mdp.terminal)
    logits = jr.normal(key, (mdp.states, mdp.actions), float)
    np.testing.assert_allclose(seen.utility(logits), mdp.utility(logits), rtol=1e-12)
    np.testing.assert_allclose(seen.gradient(logits), mdp.gradient(logits), rtol=1e-10)
    tree, value = seen.histories(), seen.value(logits)
    by_time = np.asarray(mdp.value(logits))
    expected = np.where(tree.exists, np.take_along_axis(by_time, tree.observation, axis=1), 0)
    np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_a_history_table_is_any_policy(pomdp, policy):
    """The table of a recurrent policy's own probabilities is worth the same."""
    tree, (h, w) = pomdp.histories(), pomdp.histories().exists.shape
    logits = np.zeros((h, w, 2))
    for t, i in np.argwhere(tree.exists):
        seen, place = [], i
        for time in range(t, -1, -1):
            seen.insert(0, tree.observation[time, place])
            place = tree.parent[time, place]
        memory = policy.initial()
        for o in seen:
            pi, memory = policy(jnp.eye(2)[o], memory)
        logits[t, i] = pi.logits
    np.testing.assert_allclose(pomdp.utility(HistoryTable.of(tree, jnp.asarray(logits))), pomdp.utility(policy))


def test_a_memory_may_be_a_tree_with_whole_numbers(double):
    """Clocks and tuples are memories, too: act by the parity of a counter."""
    from logpi.distributions.categorical import Categorical

    class Clock:
        def initial(self):
            return {"t": jnp.int32(0)}, jnp.zeros(())

        def __call__(self, obs, memory):
            time = memory[0]["t"]
            return Categorical(50.0 * jax.nn.one_hot(time, 3)), ({"t": time + 1}, memory[1])

    # listen, open left, open right: −1 − 45 − 45.
    assert float(tiger(gamma=1.0, horizon=3).utility(Clock())) == pytest.approx(-91)


def test_histories_that_cannot_happen_are_left_out():
    tree = t_maze(2, horizon=3).histories()
    assert tree.exists.sum(axis=1).tolist() == [2, 4, 10]
    assert tree.find(0, 2, 3) != tree.find(0, 0, 2) and tree.find(1)[0] == 0
    for impossible in ((2,), (0, 1), (0, 2, 1), (0, 0, 0, 0), (4,), (-1,)):
        with pytest.raises(LogpiError, match="are not possible in this order"):
            tree.find(*impossible)


def test_what_cannot_be_enumerated_says_so():
    with pytest.raises(LogpiError, match="only with a horizon"):
        tiger().histories()
    with pytest.raises(LogpiError, match=r"more than 10 sequences of observations in 4 of 6 steps; allowed: .*at_most"):
        tiger(horizon=6).histories(at_most=10)
    with pytest.raises(LogpiError, match=r"logits have shape \(2,\); allowed: \(3,\)"):
        tiger(horizon=1).utility(jnp.zeros((3, 2)))
    with pytest.raises(LogpiError, match=r"the policy returns .*; allowed: Categorical"):
        tiger(horizon=1).utility(lambda obs: obs)
