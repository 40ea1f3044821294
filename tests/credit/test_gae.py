"""The generalized advantage against its O(T²) definition, golden values, and its limits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    TableCritic,
    consistent,
    double_precision,
    evaluate,
    gae_by_definition,
    horizon,
    learner,
    n_step_by_definition,
    random_window,
    random_windows,
    trajectory,
)

from logpi.credit.gae import GAE
from logpi.credit.td_residual import TDResidual

WINDOW = random_window(np.random.default_rng(3), 12, 30)
SIX = np.array([[1.0], [2.0], [-1.0], [0.5], [3.0], [-2.0]], np.float32)
LAST = np.arange(6)[:, None] == 5


def largest_error(gae, dtype):
    return max(
        abs(np.asarray(evaluate(gae, tau)[0]) - gae_by_definition(tau, gae.gamma, gae.gae_lambda)).max()
        for tau in random_windows(dtype)
    )


def test_equals_the_definition_in_float32():
    assert largest_error(GAE(0.97, 0.9), np.float32) < 1e-5


def test_equals_the_definition_in_float64():
    with double_precision():
        assert largest_error(GAE(0.97, 0.9), np.float64) < 1e-12


def golden():
    """Two columns, γ = λ = 0.5; the second ends at its middle row, where V(next) = 7 counts for nothing."""
    return trajectory(
        np.float32([[1, 2], [3, 4], [5, 6]]),
        terminated=[[0, 0], [0, 1], [0, 0]],
        v=[[1, 1], [2, 0], [3, 2]],
        v_next=[[2, 0], [3, 7], [4, 8]],
    )


def test_golden_values():
    advantage, target = evaluate(GAE(0.5, 0.5), golden())
    # δ: 1 2.5 4 and 1 4 8.
    np.testing.assert_array_equal(advantage, [[1.875, 2], [3.5, 4], [4, 8]])
    np.testing.assert_array_equal(target, [[2.875, 3], [5.5, 4], [7, 10]])


@pytest.mark.parametrize("seed", range(4, 9))
def test_is_the_mixture_of_n_step_advantages(seed):
    gamma, gae_lambda = 0.9, 0.8
    with double_precision():
        tau = consistent(random_window(np.random.default_rng(seed), 9, 12, np.float64))
        got = np.asarray(evaluate(GAE(gamma, gae_lambda), tau)[0])
    steps = [n_step_by_definition(tau, gamma, n) for n in range(1, 10)]
    for t, n in np.ndindex(got.shape):
        # (1 − λ) Σ λ^{k−1} Â^(k), the longest one with all the weight that is left.
        longest = horizon(tau, t, n)
        weights = (1 - gae_lambda) * gae_lambda ** np.arange(longest)
        weights[-1] = gae_lambda ** (longest - 1)
        np.testing.assert_allclose(got[t, n], weights @ [steps[k][t, n] for k in range(longest)], rtol=0, atol=1e-12)


def test_decay_zero_is_the_td_residual():
    for got, want in zip(evaluate(GAE(0.9, 0.0), WINDOW), evaluate(TDResidual(0.9), WINDOW), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("truncated", [False, True])
def test_decay_one_is_the_return_less_v_with_a_bootstrap_where_truncated(truncated):
    v, beyond = np.arange(6)[:, None], 4.0
    tau = trajectory(SIX, LAST & (not truncated), LAST & truncated, v=v, v_next=beyond)
    advantage, target = evaluate(GAE(0.9, 1.0), consistent(tau))
    left = np.arange(6)[:, None]
    gain = np.array([sum(0.9**k * SIX[t + k, 0] for k in range(6 - t)) for t in range(6)])[:, None]
    gain = gain + truncated * beyond * 0.9 ** (6 - left)
    np.testing.assert_allclose(target, gain, rtol=0, atol=1e-5)
    np.testing.assert_allclose(advantage, gain - v, rtol=0, atol=1e-5)


def test_terminated_and_truncated_at_once_is_terminated():
    ends = np.asarray(WINDOW.terminated)
    only = dataclasses.replace(WINDOW, truncated=jnp.zeros_like(WINDOW.truncated))
    both = dataclasses.replace(WINDOW, truncated=jnp.asarray(ends))
    for got, want in zip(evaluate(GAE(0.9, 0.95), both), evaluate(GAE(0.9, 0.95), only), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("flag", ["terminated", "truncated"])
def test_nothing_after_an_end_reaches_what_is_before_it(flag):
    end = np.arange(6)[:, None] == 2
    tau = trajectory(SIX, **{flag: end}, v=1.0, v_next=2.0)
    far = dataclasses.replace(tau, reward=tau.reward.at[3:].set(1e6))
    np.testing.assert_array_equal(evaluate(GAE(0.9, 0.95), far)[0][:3], evaluate(GAE(0.9, 0.95), tau)[0][:3])
    assert jnp.all(evaluate(GAE(0.9, 0.95), far)[0][3:] > 1e5)


def test_the_target_is_the_advantage_and_v():
    advantage, target = evaluate(GAE(0.9, 0.95), WINDOW)
    np.testing.assert_allclose(target, advantage + WINDOW.obs, rtol=0, atol=1e-6)


def fitted(credit, tau):
    """The table V that equals the mean target of each state: the fixed point of evaluating and fitting."""

    def sweep(_, table):
        target = credit(learner(critic=TableCritic(table)), tau)[1]
        seen = jnp.maximum(jnp.zeros_like(table).at[tau.obs].add(1.0), 1)
        return table.at[:-1].set((jnp.zeros_like(table).at[tau.obs].add(target) / seen)[:-1])

    # The last state is never acted in; what its V is said to be may not count after a termination.
    return jax.lax.fori_loop(0, 400, sweep, jnp.zeros(int(tau.obs.max()) + 2).at[-1].set(1e6))


def rewarded_by_one(obs, next_obs, *flags):
    """A window of 23 steps in two environments, reward 1 a step, episodes cut every 5 steps as `flags` say."""
    every = np.arange(23)[:, None] + np.zeros((1, 2), int)
    fifth = every % 5 == 4
    tau = trajectory(np.ones((23, 2), np.float32), **dict.fromkeys(flags, fifth))
    return dataclasses.replace(tau, obs=jnp.int32(obs(every)), next_obs=jnp.int32(next_obs(every)))


CREDITS = [TDResidual(0.9), GAE(0.9, 0.95), GAE(0.9, 1.0)]


@pytest.mark.parametrize("credit", CREDITS, ids=repr)
def test_truncation_every_five_steps_leaves_the_infinite_horizon_value(credit):
    tau = rewarded_by_one(lambda t: 0 * t, lambda t: 0 * t, "truncated")
    np.testing.assert_allclose(fitted(credit, tau)[0], 1 / (1 - 0.9), rtol=1e-4)


@pytest.mark.parametrize("flags", [["terminated"], ["terminated", "truncated"]], ids=str)
@pytest.mark.parametrize("credit", CREDITS, ids=repr)
def test_termination_after_five_steps_leaves_the_sum_of_what_is_left(credit, flags):
    tau = rewarded_by_one(lambda t: t % 5, lambda t: t % 5 + 1, *flags)
    table = fitted(credit, tau)
    np.testing.assert_allclose(table[:5], [4.0951, 3.439, 2.71, 1.9, 1.0], rtol=1e-5)
