"""Credit from one formula, the target from another."""

import numpy as np
from helpers import evaluate, random_window

from logpi.credit.gae import GAE
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.with_target import WithTarget


def test_takes_the_credit_of_one_and_the_target_of_the_other():
    tau = random_window(np.random.default_rng(13), 8, 5)
    gae, returns = GAE(0.9, 0.95), RewardToGo(0.9)
    phi, target = evaluate(WithTarget(gae, returns), tau)
    np.testing.assert_array_equal(phi, evaluate(gae, tau)[0])
    np.testing.assert_array_equal(target, evaluate(returns, tau)[1])
    assert not np.allclose(target, evaluate(gae, tau)[1])
