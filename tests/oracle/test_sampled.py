"""Unbiased estimators, played in the environment and averaged: within four standard errors of the exact gradient."""

import numpy as np
import pytest
from enumeration import algorithm
from helpers import mostly_slow
from sampling import assert_unbiased, verdict
from worlds import GAMMA, Softmax, drawn, table

from logpi.credit.baseline import LeaveOneOut
from logpi.credit.exact_q import ExactQ
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.time_discounted import TimeDiscounted

MDP = drawn(3, 3)
POLICY = Softmax(table(MDP))
CASES = {
    "γ^t · reward-to-go": (algorithm(TimeDiscounted(RewardToGo(GAMMA), GAMMA)), 1),
    "γ^t · Q": (algorithm(TimeDiscounted(ExactQ(MDP), GAMMA)), 1),
    "γ^t · reward-to-go − the others' mean": (algorithm(TimeDiscounted(RewardToGo(GAMMA), GAMMA) - LeaveOneOut()), 4),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("method", "m"), mostly_slow(CASES.values()), ids=CASES.keys())
def test_the_mean_of_many_estimates_is_the_gradient(method, m):
    assert_unbiased(method, MDP, POLICY, MDP.gradient(POLICY.logits), m=m)


def test_the_verdict_knows_a_bias_of_four_errors():
    exact, covariance = np.array([3.0, 4.0]), np.eye(2)
    assert verdict(10_000, exact, covariance, exact)[1:] == (0.0, 1.0)
    error, z, p = verdict(10_000, exact * 1.01, covariance, exact)
    assert np.isclose(error, 0.002) and np.isclose(z, 5.0) and p < 1e-5
