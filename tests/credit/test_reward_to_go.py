"""What came after an action: on whole episodes, on windows, and in expectation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    consistent,
    double_precision,
    evaluate,
    learner,
    n_step_by_definition,
    random_episodes,
    random_window,
    random_windows,
    relative_error,
    return_by_definition,
    trajectory,
)
from tiny_mdp import HORIZON, LOGITS, TAU, expected_gradient, expected_gradient_of, utility

from logpi.credit.gae import GAE
from logpi.credit.reward_to_go import RewardToGo
from logpi.errors import LogpiError

EPISODES = random_episodes(np.random.default_rng(8), 8, 20)


def test_on_whole_episodes_it_is_the_double_loop():
    phi, target = RewardToGo(0.9)(learner(), EPISODES)
    valid = np.asarray(EPISODES.valid)
    np.testing.assert_allclose(phi[valid], return_by_definition(EPISODES, 0.9)[valid], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(phi, target)


def test_on_whole_episodes_a_time_limit_is_the_end_and_the_critic_is_not_asked():
    np.testing.assert_array_equal(evaluate(RewardToGo(0.9), EPISODES)[0], RewardToGo(0.9)(learner(), EPISODES)[0])
    cut = trajectory(np.ones((2, 1), np.float32), truncated=[[0], [1]], v_next=1e6, complete=True)
    np.testing.assert_array_equal(evaluate(RewardToGo(0.5), cut)[0], [[1.5], [1.0]])


def test_on_windows_it_goes_on_with_v_at_truncations_and_at_the_windows_end():
    tau = trajectory(
        np.ones((3, 3), np.float32),
        terminated=[[0, 0, 0], [1, 0, 0], [0, 0, 1]],
        truncated=[[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        v_next=8.0,
    )
    # Columns: terminated in the middle; truncated there; terminated at the window's end.
    want = [[1.5, 3.5, 1.75], [1.0, 5.0, 1.5], [5.0, 5.0, 1.0]]
    np.testing.assert_array_equal(evaluate(RewardToGo(0.5), tau)[0], want)


def test_on_windows_it_is_all_rewards_and_one_bootstrap():
    with double_precision():
        for tau in random_windows(np.float64, (1, 3, 12)):
            want = n_step_by_definition(tau, 0.9, 12) + np.asarray(tau.obs)
            np.testing.assert_allclose(evaluate(RewardToGo(0.9), tau)[0], want, rtol=0, atol=1e-12)


def test_on_windows_it_is_gae_with_decay_one_and_v():
    tau = consistent(random_window(np.random.default_rng(9), 12, 30))
    np.testing.assert_allclose(evaluate(RewardToGo(0.9), tau)[0], evaluate(GAE(0.9, 1.0), tau)[1], rtol=0, atol=1e-5)


def test_terminated_and_truncated_at_once_is_terminated():
    tau = random_window(np.random.default_rng(9), 12, 30)
    only = dataclasses.replace(tau, truncated=jnp.zeros_like(tau.truncated))
    both = dataclasses.replace(tau, truncated=tau.terminated)
    np.testing.assert_array_equal(evaluate(RewardToGo(0.9), both)[0], evaluate(RewardToGo(0.9), only)[0])


def test_windows_without_a_critic_are_refused_with_the_ways_out():
    with pytest.raises(LogpiError, match=r"critic.*Episodes\(\)"):
        RewardToGo(0.9)(learner(), trajectory(np.ones((3, 2), np.float32)))


def test_its_mean_gradient_is_that_of_the_utility():
    assert relative_error(expected_gradient_of(RewardToGo(1.0)), jax.grad(utility)(LOGITS)) < 1e-5


@pytest.mark.parametrize(("t", "earlier"), [(1, 0), (2, 0), (2, 1)])
def test_no_action_is_credited_on_average_with_an_earlier_reward(t, earlier):
    np.testing.assert_allclose(expected_gradient(only_reward(t, earlier)), 0, atol=1e-6)


@pytest.mark.parametrize(("t", "later"), [(0, 0), (0, 1), (1, 2), (2, 2)])
def test_an_action_is_credited_with_its_own_and_later_rewards(t, later):
    assert jnp.linalg.norm(expected_gradient(only_reward(t, later))) > 1e-2


def only_reward(t, of):
    """Φ that credits the action at t with the reward of one step, and no other action with anything."""
    return jnp.where((jnp.arange(HORIZON) == t)[:, None], TAU.reward[of][None], 0)
