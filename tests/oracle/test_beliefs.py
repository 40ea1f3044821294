"""Beliefs, against Bayes' rule by hand and by brute force; optimal values, against the literature and a search."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from paths import drawn_pomdp, paths

from logpi.errors import LogpiError
from logpi.oracle.beliefs import next_belief
from logpi.oracle.pomdp_problems import repeat_first, t_maze, tiger
from logpi.oracle.tables import HistoryTable

LISTEN, LEFT = 0, 1


def test_bayes_by_hand(double):
    """Heard left, left and right: 0.85, 0.85² / (0.85² + 0.15²), 0.85. A door that is opened makes it one half."""
    pomdp = tiger()
    assert pomdp.belief([], [2]).tolist() == [0.5, 0.5]
    np.testing.assert_allclose(pomdp.belief([LISTEN], [2, 0]), [0.85, 0.15])
    np.testing.assert_allclose(pomdp.belief([LISTEN] * 2, [2, 0, 0])[0], 0.7225 / 0.745)
    np.testing.assert_allclose(pomdp.belief([LISTEN] * 3, [2, 0, 0, 1])[0], 0.85)
    np.testing.assert_allclose(pomdp.belief([LISTEN, LEFT], [2, 0, 0]), [0.5, 0.5])
    assert pomdp.belief([LISTEN], [2, 2]).tolist() == [0, 0]
    chance = next_belief(pomdp, jnp.array([0.85, 0.15]), LISTEN, 0)[1]
    np.testing.assert_allclose(chance, 0.85**2 + 0.15**2)
    with pytest.raises(LogpiError, match="1 observations and 1 actions; allowed: one observation more"):
        pomdp.belief([LISTEN], [2])


def test_beliefs_are_shares_of_paths(double):
    """P(s_t | o_0, a_0 … o_t) from the probabilities of all paths with these observations and actions."""
    pomdp = drawn_pomdp(1)
    weights = {}
    for p, states, seen, actions, _ in paths(pomdp):
        if len(actions) == 3:
            case = tuple(actions[:2]), tuple(seen[:3])
            weights.setdefault(case, np.zeros(3))[states[2]] += p
    for (actions, seen), weight in weights.items():
        np.testing.assert_allclose(pomdp.belief(actions, seen), weight / weight.sum(), rtol=1e-10)
    assert len(weights) == 4 * 8


def test_the_tiger_is_worth_what_is_known(double):
    """By hand for three steps: listen twice, and open if both agree.

    With γ = 0.75 as in Kaelbling, Littman and Cassandra 1998, and with γ = 0.95 as in most later papers, the values of
    an infinite horizon are 1.9334 and 19.3714.
    """
    undiscounted = lambda steps: tiger(gamma=1.0, horizon=steps).optimal().utility
    agree = 0.85**2 + 0.15**2
    by_hand = -2 + (10 * 0.85**2 - 100 * 0.15**2) - (1 - agree)
    np.testing.assert_allclose([undiscounted(steps) for steps in (1, 2, 3)], [-1, -2, by_hand])
    assert tiger(gamma=0.75).optimal_value([0.5, 0.5], 80) == pytest.approx(1.933439, abs=1e-6)
    assert tiger(gamma=0.95).optimal_value([0.5, 0.5], 300) == pytest.approx(19.3714, abs=1e-4)
    assert tiger(gamma=0.75).optimal_value([1, 0], 80) == pytest.approx(10 + 0.75 * 1.933439, abs=1e-6)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("pomdp", [lambda: tiger(horizon=3), lambda: t_maze(1, horizon=3)], ids=["tiger", "t-maze"])
def test_no_table_is_better_than_the_optimal_one(double, pomdp):
    """The optimal policy is worth what it says, and no other choice at one history is better (Bellman)."""
    pomdp = pomdp()
    best = pomdp.optimal()
    np.testing.assert_allclose(pomdp.utility(best.policy), best.utility, rtol=1e-12)
    assert best.utility <= pomdp.mdp.optimal().utility + 1e-12
    q = jnp.einsum("tns,tnsa->tna", pomdp.occupancy(best.policy), pomdp.state_action_value(best.policy))
    taken = jnp.take_along_axis(q, best.policy.logits.argmax(axis=-1)[..., None], axis=-1)
    assert jnp.all(q <= taken + 1e-9)


def test_the_optimum_is_the_best_of_all_tables(double):
    """All deterministic policies of two steps, 4^2 · 2^… of them, tried."""
    pomdp = drawn_pomdp(2, horizon=2)
    tree = pomdp.histories()
    places = np.argwhere(tree.exists)
    utilities = []
    for actions in itertools.product(range(2), repeat=len(places)):
        logits = np.zeros((*tree.exists.shape, 2))
        logits[(*places.T, actions)] = 1e4
        utilities.append(float(pomdp.utility(HistoryTable.of(tree, jnp.asarray(logits)))))
    np.testing.assert_allclose(max(utilities), pomdp.optimal().utility, rtol=1e-10)


def test_the_optima_of_the_named_problems(double):
    """Without a discount: 4 in the maze, 1 for the cue; the horizon is just long enough, and then too short."""
    assert t_maze(3, gamma=1.0, horizon=4).optimal().utility == pytest.approx(4)
    assert t_maze(3, gamma=1.0, horizon=3).optimal().utility == pytest.approx(0)
    assert repeat_first(32, cues=4).optimal().utility == pytest.approx(1)


def test_what_is_no_belief_says_so():
    with pytest.raises(LogpiError, match=r"belief sums to 0.7; allowed: 1"):
        tiger().optimal_value([0.5, 0.2], 2)
    with pytest.raises(LogpiError, match=r"belief has shape \(3,\); allowed: \(2,\)"):
        tiger().optimal_value([0.5, 0.2, 0.3], 2)
    with pytest.raises(LogpiError, match=r"7 beliefs after 3 of 9 steps; allowed: at most 5, or a larger at_most"):
        tiger().optimal_value([0.5, 0.5], 9, at_most=5)
