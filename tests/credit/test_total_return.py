"""All of an episode's return for every one of its actions."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import learner, random_episodes, relative_error, return_by_definition, trajectory
from tiny_mdp import CHANCE, LOGITS, TAU, expected_gradient_of, probability, utility

from logpi.credit.total_return import TotalReturn
from logpi.errors import LogpiError

EPISODES = random_episodes(np.random.default_rng(7), 8, 20)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_every_row_gets_the_return_from_the_first(gamma):
    phi, target = TotalReturn(gamma)(learner(), EPISODES)
    want = np.broadcast_to(return_by_definition(EPISODES, gamma)[:1], phi.shape)
    np.testing.assert_allclose(phi, want, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(phi, target)


def test_what_pads_an_episode_does_not_count():
    padded = dataclasses.replace(EPISODES, reward=jnp.where(EPISODES.valid, EPISODES.reward, jnp.nan))
    np.testing.assert_array_equal(TotalReturn()(learner(), padded)[0], TotalReturn()(learner(), EPISODES)[0])


def test_windows_of_steps_are_refused_with_the_way_out():
    with pytest.raises(LogpiError, match=r"Episodes\(\)"):
        TotalReturn()(learner(), trajectory(np.ones((3, 2), np.float32)))


def test_the_probabilities_of_all_trajectories_sum_to_one():
    np.testing.assert_allclose(probability(LOGITS).sum(), 1, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda z: probability(z).sum())(LOGITS), 0, atol=1e-6)


@pytest.mark.parametrize("gamma", [1.0, 0.7])
def test_the_mean_return_of_all_trajectories_is_the_utility(gamma):
    returns = TotalReturn(gamma)(learner(), TAU)[0][0]
    np.testing.assert_allclose(probability(LOGITS) @ returns, utility(LOGITS, gamma), rtol=1e-6)
    assert CHANCE.shape == returns.shape


@pytest.mark.parametrize("gamma", [1.0, 0.7])
def test_its_mean_gradient_is_that_of_the_utility(gamma):
    exact = jax.grad(utility)(LOGITS, gamma)
    assert relative_error(expected_gradient_of(TotalReturn(gamma)), exact) < 1e-5
