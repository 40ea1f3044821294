"""V, Q, A, U and occupancy: the equations that define them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from worlds import GAMMA, WORLDS, Softmax, stationary, table

from logpi.errors import LogpiError
from logpi.oracle.mdp import MDP
from logpi.oracle.surrogate import performance_difference

CLOSE = {"rtol": 1e-9, "atol": 1e-10}


def world(mdp):
    """P, R, ρ0, γ in NumPy, terminal states absorbing and worth nothing."""
    transition, reward, ends = (np.array(x) for x in (mdp.transition, mdp.reward, mdp.terminal))
    transition[ends], reward[ends] = np.eye(mdp.states)[ends][:, None], 0
    return transition, reward, np.asarray(mdp.initial), float(mdp.gamma)


def by_time(mdp, x):
    """A quantity at each time, and what stands one step later; without a horizon both are the same."""
    x = np.asarray(x)
    return (x, x) if mdp.horizon is None else (x, np.concatenate([x[1:], np.zeros_like(x[:1])]))


@pytest.mark.thorough_after(3)
def test_bellman(mdp):
    """Q(s, a) = Σ P (R + γ V(s')), V = Σ_a π Q, A = Q − V, U = ρ0·V."""
    logits = table(mdp)
    transition, reward, initial, gamma = world(mdp)
    value, after = by_time(mdp, mdp.value(logits))
    q = np.einsum("ijk,...ijk->...ij", transition, reward + gamma * after[..., None, None, :])
    np.testing.assert_allclose(mdp.action_value(logits), q, **CLOSE)
    np.testing.assert_allclose(np.sum(np.asarray(jax.nn.softmax(logits)) * q, axis=-1), value, **CLOSE)
    np.testing.assert_allclose(mdp.advantage(logits), q - value[..., None], **CLOSE)
    np.testing.assert_allclose(mdp.utility(logits), initial @ np.atleast_2d(value)[0], **CLOSE)
    assert not np.any(value[..., np.asarray(mdp.terminal)])


@pytest.mark.thorough_after(3)
def test_occupancy_is_the_sum_over_time(mdp):
    """d(s) = Σ_t γ^t P(s_t = s), step by step; U = Σ_s d(s) Σ_a π(a|s) r(s, a)."""
    logits = table(mdp)
    transition, reward, chance, gamma = world(mdp)
    flow = np.einsum("ij,ijk->ik", jax.nn.softmax(logits), transition)
    visits = np.zeros((mdp.horizon or 600, mdp.states))
    for t in range(len(visits)):
        visits[t] = gamma**t * chance * ~np.asarray(mdp.terminal)
        chance = chance @ flow
    occupancy = np.atleast_2d(mdp.occupancy(logits))
    np.testing.assert_allclose(occupancy, visits if mdp.horizon else visits.sum(0, keepdims=True), **CLOSE)
    gain = np.einsum("ij,ijk,ijk->i", jax.nn.softmax(logits), transition, reward)
    np.testing.assert_allclose(np.sum(occupancy @ gain), mdp.utility(logits), **CLOSE)


@pytest.mark.parametrize("name", ["two-state", "random"])
def test_occupancy_sums_to_the_horizon_that_the_discount_makes(mdp):
    total = 1 / (1 - GAMMA) if mdp.horizon is None else (1 - GAMMA**mdp.horizon) / (1 - GAMMA)
    np.testing.assert_allclose(np.sum(mdp.occupancy(table(mdp))), total, rtol=1e-12)


def test_the_performance_difference_identity(mdp):
    """U(π̃) − U(π) = Σ_s d_π̃(s) Σ_a π̃(a|s) A_π(s, a), exactly (Kakade and Langford 2002, lemma 6.1)."""
    old, new = table(mdp), table(mdp, seed=1)
    np.testing.assert_allclose(mdp.utility(new) - mdp.utility(old), performance_difference(mdp, old, new), rtol=1e-9)


@pytest.mark.thorough_after(1)
def test_a_long_horizon_is_an_infinite_one(name, double):
    mdp = WORLDS[name](300)
    logits = table(mdp)
    np.testing.assert_allclose(mdp.utility(logits), stationary(mdp).utility(logits), rtol=1e-11)
    np.testing.assert_allclose(mdp.occupancy(logits).sum(0), stationary(mdp).occupancy(logits), atol=1e-11)
    np.testing.assert_allclose(mdp.gradient(logits), stationary(mdp).gradient(logits), rtol=1e-8, atol=1e-11)


def test_an_undiscounted_task_that_ends(double):
    """γ = 1: steps until the end are 1/p, each costing 1."""
    transition = [[[0.75, 0.25], [0.5, 0.5]], [[0, 1], [0, 1]]]
    mdp = MDP(transition, -np.ones((2, 2, 2)), [1, 0], 1.0, terminal=[False, True])
    np.testing.assert_allclose(mdp.value(np.array([[99.0, -99.0], [0, 0]])), [-4, 0], atol=1e-12)
    np.testing.assert_allclose(mdp.action_value(np.array([[-99.0, 99.0], [0, 0]])), [[-2.5, -2], [0, 0]], atol=1e-12)


@pytest.mark.thorough_after(1)
def test_a_table_and_a_callable_are_the_same_policy(mdp):
    logits = table(mdp)
    for answer in (mdp.utility, mdp.value, mdp.action_value, mdp.occupancy):
        np.testing.assert_allclose(answer(logits), answer(Softmax(logits)), **CLOSE)


@pytest.mark.thorough_after(1)
def test_a_table_for_each_time(finite):
    """One table repeated is that table; a change at the last step changes only what is worth something before it."""
    logits = table(finite)
    repeated = jnp.broadcast_to(logits[None], (finite.horizon, *logits.shape))
    np.testing.assert_allclose(finite.utility(repeated), finite.utility(logits), **CLOSE)
    np.testing.assert_allclose(finite.occupancy(repeated), finite.occupancy(logits), **CLOSE)
    changed = repeated.at[-1].set(table(finite, seed=1))
    np.testing.assert_allclose(finite.occupancy(changed), finite.occupancy(logits), **CLOSE)


def test_policies_that_do_not_fit_are_refused(double):
    mdp = WORLDS["chain"](4)
    for shape in ((3, 3), (2, 2), (5, 3, 2), (3,)):
        with pytest.raises(LogpiError, match=r"logits have shape .*; allowed: \(3, 2\) or \(4, 3, 2\)"):
            mdp.utility(np.zeros(shape))
    with pytest.raises(LogpiError, match="returns"):
        mdp.utility(lambda obs: obs)
    with pytest.raises(LogpiError, match=r"allowed: \(3, 2\)(?! or)"):
        stationary(mdp).utility(np.zeros((4, 3, 2)))
