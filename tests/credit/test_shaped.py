"""Shaped rewards: with a potential, nothing changes that must not; without one, everything does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import READING, double_precision, evaluate, learner, random_episodes, random_window
from tiny_mdp import LOGITS, TAU, expected_gradient, expected_gradient_of, utility

from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.shaped import PotentialShapedCredit
from logpi.credit.td_residual import TDResidual
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.oracle import problems
from logpi.oracle.mdp import MDP

GAMMA = 0.9


def potential(obs):
    """Φ of a world where every observation is a number."""
    return 3 * jnp.sin(obs)


@pytest.fixture
def episodes():
    """Whole episodes with random rewards, in which V(next) is V of the next row."""
    tau = random_episodes(np.random.default_rng(0), 6, 40)
    obs = jnp.asarray(np.random.default_rng(1).normal(size=tau.reward.shape).astype(np.float32))
    following = jnp.concatenate([obs[1:], jnp.full_like(obs[:1], 1e6)])
    return dataclasses.replace(tau, obs=obs, next_obs=following)


def test_of_the_reward_to_go_it_is_a_baseline(episodes):
    """Σ γ^{l−t} F_l = −Φ(s_t), row for row, also where a time limit is the end."""
    plain = evaluate(RewardToGo(GAMMA), episodes)[0]
    shaped = evaluate(PotentialShapedCredit(RewardToGo(GAMMA), potential, GAMMA), episodes)[0]
    valid = np.asarray(episodes.valid)
    want = np.asarray(plain - potential(episodes.obs))
    np.testing.assert_allclose(np.asarray(shaped)[valid], want[valid], rtol=1e-5, atol=1e-4)
    assert (np.asarray(episodes.truncated) & ~np.asarray(episodes.terminated)).any()


def test_of_a_whole_return_it_is_the_first_states(episodes):
    plain = np.asarray(evaluate(TotalReturn(GAMMA), episodes)[0])[0]
    shaped = np.asarray(evaluate(PotentialShapedCredit(TotalReturn(GAMMA), potential, GAMMA), episodes)[0])[0]
    np.testing.assert_allclose(shaped, plain - np.asarray(potential(episodes.obs))[0], rtol=1e-5, atol=1e-4)


def test_in_a_window_what_is_beyond_a_truncation_counts():
    """δ of shaped rewards, by hand: only a termination is worth nothing."""
    tau = random_window(np.random.default_rng(2), 8, 20)
    got = evaluate(PotentialShapedCredit(TDResidual(GAMMA), potential, GAMMA), tau)[0]
    following = np.where(np.asarray(tau.terminated), 0, np.asarray(potential(tau.next_obs)))
    want = np.asarray(evaluate(TDResidual(GAMMA), tau)[0]) + GAMMA * following - np.asarray(potential(tau.obs))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_the_mean_gradient_stays_what_it_is():
    level = lambda obs: jnp.array([2.0, -5.0, 7.0])[obs]
    got = expected_gradient_of(TimeDiscounted(PotentialShapedCredit(RewardToGo(GAMMA), level, GAMMA), GAMMA))
    np.testing.assert_allclose(got, jax.grad(utility)(LOGITS, GAMMA), rtol=1e-4, atol=1e-5)


def test_rewards_shaped_in_any_other_way_change_it():
    """Ten for every visit of state 1, whatever comes after."""
    bribed = dataclasses.replace(TAU, reward=TAU.reward + 10 * (TAU.obs == 1).astype(float))
    off = expected_gradient(evaluate(RewardToGo(1.0), bribed, learner())[0]) - jax.grad(utility)(LOGITS)
    assert np.linalg.norm(off) > 0.5


def shaped_mdp(mdp, phi):
    """The same task with rewards r + γΦ(s') − Φ(s), Φ = 0 where it ends."""
    ends = np.where(np.asarray(mdp.terminal), 0, phi)
    reward = np.asarray(mdp.reward) + float(mdp.gamma) * ends[None, None, :] - ends[:, None, None]
    return MDP(mdp.transition, reward, mdp.initial, mdp.gamma, mdp.horizon, mdp.terminal)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_policy_stays_the_best(seed):
    """Every policy loses Σ ρ0 Φ, the best one too; so the order of policies is the same."""
    with double_precision():
        mdp = problems.random(seed, gamma=GAMMA)
        rng = np.random.default_rng(seed)
        phi = rng.normal(size=mdp.states)
        other = shaped_mdp(mdp, phi)
        for logits in [rng.normal(size=(mdp.states, mdp.actions)), np.asarray(mdp.optimal().policy)]:
            lost = mdp.utility(logits) - other.utility(logits)
            np.testing.assert_allclose(lost, np.asarray(mdp.initial) @ phi, rtol=1e-8)
        best = other.utility(mdp.optimal().policy)
        np.testing.assert_allclose(best, other.optimal().utility, rtol=1e-8)


def test_the_trajectorys_own_rewards_stay_as_they_are(episodes):
    before = np.array(episodes.reward)
    evaluate(PotentialShapedCredit(RewardToGo(GAMMA), potential, GAMMA), episodes, READING)
    np.testing.assert_array_equal(episodes.reward, before)
