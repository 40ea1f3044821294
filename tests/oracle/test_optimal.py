"""The best policy: no other exceeds it, by trying them all."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from worlds import WORLDS, stationary, table

from logpi.oracle import problems
from logpi.oracle.optimal import NEVER
from logpi.oracle.time_augmented import time_augmented


def deterministic(mdp):
    """All deterministic policies, as logits [A^S, S, A]."""
    actions = np.array(list(itertools.product(range(mdp.actions), repeat=mdp.states)))
    return jnp.where(jax.nn.one_hot(actions, mdp.actions) > 0, 0.0, NEVER)


@pytest.mark.thorough
def test_no_deterministic_policy_is_better(double):
    for name in ("two-state", "chain", "random", "ending", "grid"):
        mdp = WORLDS[name](None)
        best = mdp.optimal()
        utilities = jax.vmap(mdp.utility)(deterministic(mdp))
        np.testing.assert_allclose(best.utility, utilities.max(), rtol=1e-12)
        np.testing.assert_allclose(mdp.utility(best.policy), best.utility, rtol=1e-12)


@pytest.mark.thorough_after(1)
def test_the_optimality_equation(mdp):
    """max_a Q(s, a) = V(s) everywhere, and no random policy is better."""
    best = mdp.optimal()
    np.testing.assert_allclose(
        mdp.action_value(best.policy).max(axis=-1), mdp.value(best.policy), rtol=1e-10, atol=1e-12
    )
    assert all(mdp.utility(table(mdp, seed, 3.0)) < best.utility for seed in range(20))


def test_a_clock_makes_the_best_policy_stationary(double):
    mdp = WORLDS["random"](3)
    np.testing.assert_allclose(time_augmented(mdp).optimal().utility, mdp.optimal().utility, rtol=1e-12)


@pytest.mark.thorough
def test_known_optima(double):
    """The cliff's best is 13 steps; a square without slip, its sides; a long chain, ever to the right."""
    np.testing.assert_allclose(problems.cliff().optimal().utility, -13)
    np.testing.assert_allclose(problems.grid(5, slip=0.0, gamma=1.0).optimal().utility, -8)
    policy = problems.chain(30).optimal().policy
    assert (policy.argmax(axis=-1) == 1).all()


def test_in_single_precision():
    """Rounding neither stops policy iteration early nor keeps it going for ever."""
    np.testing.assert_allclose(problems.cliff().optimal().utility, -13, rtol=1e-6)


def test_a_tie_never_keeps_an_undiscounted_task_from_ending(double):
    """All that counts is to arrive, so every policy that does is as good: one that never does is not chosen."""
    right = np.stack([np.eye(3)[[0, 0, 2]], np.eye(3)[[1, 2, 2]]], axis=1)
    reward = np.zeros((3, 2, 3))
    reward[1, 1, 2] = 1
    from logpi.oracle.mdp import MDP

    best = MDP(right, reward, [1, 0, 0], 1.0, terminal=[False, False, True]).optimal()
    np.testing.assert_allclose(best.utility, 1)


@pytest.mark.thorough_after(1)
def test_a_clock_changes_no_utility(double, name):
    """V and Q by time become V and Q by state."""
    mdp = WORLDS[name](3)
    clocked, logits = time_augmented(mdp), table(mdp, by_time=True)
    rows = jnp.concatenate([logits.reshape(-1, mdp.actions), jnp.zeros((1, mdp.actions))])
    np.testing.assert_allclose(clocked.utility(rows), mdp.utility(logits), rtol=1e-12)
    np.testing.assert_allclose(clocked.value(rows)[:-1], mdp.value(logits).reshape(-1), rtol=1e-10, atol=1e-12)
    assert stationary(clocked).horizon is None
