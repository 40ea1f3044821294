"""Baselines, and what they do to the mean gradient."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import TableCritic, learner, random_episodes, relative_error, trajectory
from tiny_mdp import LOGITS, TAU, expected_gradient, expected_gradient_of, log_prob, probability, utility

from logpi.credit.baseline import LeaveOneOut, mean_baseline, time_mean_baseline, value_baseline
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.total_return import TotalReturn
from logpi.errors import LogpiError

EXACT = jax.grad(utility)(LOGITS)
RANDOM_V = TableCritic(jnp.asarray(3 * np.random.default_rng(10).normal(size=3), jnp.float32))


@pytest.mark.parametrize("credit", [TotalReturn(), RewardToGo(1.0)], ids=repr)
def test_any_state_baseline_leaves_the_mean_gradient_alone(credit):
    assert relative_error(expected_gradient_of(credit - value_baseline, RANDOM_V), EXACT) < 1e-5


def test_a_baseline_that_knows_the_action_does_not():
    knowing = lambda state, tau, phi: tau.action.astype(float)
    assert relative_error(expected_gradient_of(RewardToGo(1.0) - knowing), EXACT) > 0.1


def test_the_value_baseline_is_v_of_each_rows_state():
    minus = RewardToGo(1.0) - value_baseline
    state = learner(critic=RANDOM_V)
    np.testing.assert_array_equal(minus(state, TAU)[0], RewardToGo(1.0)(state, TAU)[0] - RANDOM_V.table[TAU.obs])


def test_a_baseline_does_not_touch_the_critics_target():
    minus = RewardToGo(1.0) - value_baseline
    state = learner(critic=RANDOM_V)
    np.testing.assert_array_equal(minus(state, TAU)[1], RewardToGo(1.0)(state, TAU)[1])


def test_the_mean_baseline_is_the_mean_over_trajectories_of_their_mean_credit():
    tau = random_episodes(np.random.default_rng(11), 6, 9)
    phi = tau.reward
    each = [np.asarray(phi)[np.asarray(tau.valid)[:, n], n].mean() for n in range(9)]
    got = mean_baseline(learner(), tau, phi)
    assert got.shape == phi.shape
    np.testing.assert_allclose(got, np.mean(each), rtol=1e-5)


def test_the_mean_baseline_leaves_empty_columns_out():
    tau = trajectory(np.float32([[1, 9], [3, 9]]), valid=[[True, False], [True, False]], complete=True)
    np.testing.assert_array_equal(mean_baseline(learner(), tau, tau.reward), 2.0)


def test_of_equal_returns_the_mean_baseline_leaves_nothing():
    tau = dataclasses.replace(TAU, reward=TAU.reward * 0 + 1, valid=jnp.ones_like(TAU.valid))
    np.testing.assert_allclose((TotalReturn() - mean_baseline)(learner(), tau)[0], 0, atol=1e-6)


def test_the_mean_of_two_returns_halves_the_mean_gradient():
    # b holds the trajectory it is subtracted from: E = (1 − 1/m) ∇J, here m = 2, over all pairs of trajectories.
    columns = TAU.reward.shape[1]
    pairs = jnp.stack(jnp.meshgrid(jnp.arange(columns), jnp.arange(columns)), axis=-1).reshape(-1, 2)
    credit, chance = TotalReturn() - mean_baseline, probability(LOGITS)
    credit_of = lambda pair: credit(learner(), jax.tree.map(lambda x: x[:, pair], TAU))[0]
    phi = jax.jit(jax.vmap(credit_of))(pairs)

    def surrogate(logits):
        rows = jnp.where(TAU.valid, log_prob(logits, TAU.obs, TAU.action), 0)
        estimate = jnp.sum(rows.T[pairs] * phi.transpose(0, 2, 1), axis=(1, 2)) / 2
        return jnp.sum(chance[pairs[:, 0]] * chance[pairs[:, 1]] * estimate)

    gradient = jax.jit(jax.grad(surrogate))(LOGITS)
    assert relative_error(gradient, (1 - 1 / 2) * EXACT) < 1e-5


def test_a_constant_baseline_leaves_the_mean_gradient_alone():
    phi = TotalReturn()(learner(), TAU)[0]
    assert relative_error(expected_gradient(phi - 5.0), EXACT) < 1e-5


def test_the_mean_of_a_time_at_which_one_trajectory_is_left_is_its_own_credit():
    """Three trajectories at the first time, one at the second, none at the third."""
    valid = jnp.array([[True, True, True], [False, True, False], [False, False, False]])
    tau = dataclasses.replace(random_episodes(np.random.default_rng(0), 3, 3), valid=valid)
    phi = jnp.array([[1.0, 2.0, 6.0], [9.0, 4.0, 9.0], [9.0, 9.0, 9.0]])
    assert time_mean_baseline(learner(), tau, phi)[:, 0].tolist() == [3, 4, 0]


def test_the_others_of_a_group_are_its_own_columns():
    valid = jnp.ones((1, 4), bool)
    tau = dataclasses.replace(random_episodes(np.random.default_rng(0), 1, 4), valid=valid)
    phi = jnp.array([[1.0, 2.0, 4.0, 8.0]])
    assert LeaveOneOut()(learner(), tau, phi)[0].tolist() == pytest.approx([14 / 3, 13 / 3, 11 / 3, 7 / 3])
    assert LeaveOneOut(2)(learner(), tau, phi)[0].tolist() == [2, 1, 8, 4]
    assert LeaveOneOut(1)(learner(), tau, phi)[0].tolist() == [0, 0, 0, 0]
    with pytest.raises(LogpiError, match="group is 0; allowed: a divisor of 4"):
        LeaveOneOut(0)(learner(), tau, phi)
