"""δ_t = r_t + γ (1 − terminated_t) V(s_{t+1}) − V(s_t)."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from helpers import (
    TableCritic,
    double_precision,
    evaluate,
    learner,
    random_windows,
    residual_by_definition,
    trajectory,
)

from logpi.credit.td_residual import TDResidual


def test_equals_the_definition():
    with double_precision():
        for tau in random_windows(np.float64, (1, 3, 12)):
            delta, target = evaluate(TDResidual(0.9), tau)
            np.testing.assert_allclose(delta, residual_by_definition(tau, 0.9), rtol=0, atol=1e-12)
            np.testing.assert_allclose(target, delta + tau.obs, rtol=0, atol=1e-12)


def test_golden_values():
    tau = trajectory(
        np.float32([[1, 2], [3, 4]]),
        terminated=[[0, 1], [0, 0]],
        truncated=[[1, 0], [0, 0]],
        v=2.0,
        v_next=8.0,
    )
    # 1 + 8/2 − 2 where truncated, 2 − 2 where terminated.
    np.testing.assert_array_equal(evaluate(TDResidual(0.5), tau)[0], [[3, 0], [5, 6]])
    np.testing.assert_array_equal(evaluate(TDResidual(0.5), tau)[1], [[5, 2], [7, 8]])


def test_v_beyond_a_termination_does_not_count_and_beyond_a_truncation_does():
    def delta(v_next, **flag):
        return evaluate(TDResidual(0.9), trajectory(np.ones((1, 1), np.float32), v_next=v_next, **flag))[0]

    assert delta(0.0, terminated=True) == delta(1e6, terminated=True)
    assert delta(1.0, truncated=True) > delta(0.0, truncated=True)
    assert delta(1e6, terminated=True, truncated=True) == delta(1e6, terminated=True)


def test_v_is_asked_of_the_true_successor_not_of_the_next_row():
    tau = dataclasses.replace(
        trajectory(np.zeros((2, 1), np.float32), truncated=[[1], [0]]),
        obs=jnp.array([[0], [0]]),
        next_obs=jnp.array([[1], [0]]),
    )
    critic = TableCritic(jnp.array([0.0, 10.0]))
    np.testing.assert_array_equal(TDResidual(0.5)(learner(critic=critic), tau)[0], [[5], [0]])


def test_the_residual_of_the_true_v_has_mean_zero():
    # From state 0, reward 1 and the end with probability ½, else state 0 again: V = 1 / (1 − γ/2).
    gamma = 0.9
    tau = trajectory(
        np.ones((1, 2), np.float32), terminated=[[1, 0]], v=1 / (1 - gamma / 2), v_next=1 / (1 - gamma / 2)
    )
    np.testing.assert_allclose(evaluate(TDResidual(gamma), tau)[0].mean(), 0, atol=1e-6)
