"""n rewards, then V."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    consistent,
    double_precision,
    evaluate,
    n_step_by_definition,
    random_window,
    random_windows,
    trajectory,
)

from logpi.credit.gae import GAE
from logpi.credit.n_step import NStep
from logpi.credit.td_residual import TDResidual

WINDOW = random_window(np.random.default_rng(6), 12, 30)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("n", [1, 2, 20])
def test_equals_n_rewards_and_one_bootstrap(n):
    with double_precision():
        for tau in map(consistent, random_windows(np.float64, (1, 3, 12))):
            advantage, target = evaluate(NStep(0.9, n), tau)
            np.testing.assert_allclose(advantage, n_step_by_definition(tau, 0.9, n), rtol=0, atol=1e-12)
            np.testing.assert_allclose(target, advantage + tau.obs, rtol=0, atol=1e-12)


def test_golden_values_of_two_steps():
    tau = trajectory(
        np.float32([[1, 2], [3, 4], [5, 6]]),
        terminated=[[0, 0], [0, 1], [0, 0]],
        v=[[1, 1], [2, 0], [3, 2]],
        v_next=[[2, 0], [3, 7], [4, 8]],
    )
    # Row 0: 1 + 3/2 + 3/4 − 1, and 2 + 4/2 − 1 up to the end.
    np.testing.assert_array_equal(evaluate(NStep(0.5, 2), tau)[0], [[2.25, 3], [4.5, 4], [4, 8]])


def test_one_step_is_the_td_residual():
    for got, want in zip(evaluate(NStep(0.9, 1), WINDOW), evaluate(TDResidual(0.9), WINDOW), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("n", [12, 100])
def test_as_many_steps_as_the_window_is_gae_with_decay_one(n):
    for got, want in zip(evaluate(NStep(0.9, n), WINDOW), evaluate(GAE(0.9, 1.0), WINDOW), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_terminated_and_truncated_at_once_is_terminated():
    only = dataclasses.replace(WINDOW, truncated=jnp.zeros_like(WINDOW.truncated))
    both = dataclasses.replace(WINDOW, truncated=WINDOW.terminated)
    np.testing.assert_array_equal(evaluate(NStep(0.9, 3), both)[0], evaluate(NStep(0.9, 3), only)[0])
