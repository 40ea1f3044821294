"""Credit by a learned Q and the λ-returns that it is fitted to."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import evaluate, learner, trajectory

from logpi.credit.action_value import ActionValue
from logpi.distributions.categorical import Categorical

REWARD = np.float32([[1], [2], [3]])
NEXT = np.float32([[4], [6], [8]])
MIDDLE = np.array([[0], [1], [0]], bool)


class Even(eqx.Module):
    """A policy that takes either action with probability 1/2."""

    def __call__(self, obs):
        return Categorical(jnp.zeros(2))


class Spread(eqx.Module):
    """Q(s, a) = s − 1 or s + 1, so that V̄(s) = s under an even policy."""

    def __call__(self, obs, action):
        return obs + jnp.asarray(2 * action - 1, float)


def target(terminated=False, truncated=False, gae_lambda=0.5):
    """The targets of three rows with rewards 1, 2, 3 and V̄(next) = 4, 6, 8, at γ = ½."""
    tau = trajectory(REWARD, terminated, truncated, v_next=NEXT)
    state = learner(Even(), Spread())
    return np.asarray(evaluate(ActionValue(0.5, gae_lambda), tau, state)[1])[:, 0]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({}, [3.3125, 5.25, 7]),  # G_1 = 2 + ½ (½ · 6 + ½ · 7): half of V̄, half of what follows
        ({"truncated": MIDDLE}, [3.25, 5, 7]),  # G_1 = 2 + ½ · 6: V̄ alone, since what follows is another episode
        ({"terminated": MIDDLE}, [2.5, 2, 7]),  # G_1 = 2: nothing follows
        ({"terminated": MIDDLE, "truncated": MIDDLE}, [2.5, 2, 7]),  # terminated wins
    ],
    ids=["goes on", "truncated", "terminated", "both"],
)
def test_its_target_is_the_expected_sarsa_lambda_return(ends, expected):
    np.testing.assert_array_equal(target(**ends), np.float32(expected))


def test_without_a_trace_the_target_is_expected_sarsa():
    np.testing.assert_array_equal(target(gae_lambda=0.0), np.float32([1 + 2, 2 + 3, 3 + 4]))


def test_with_a_full_trace_it_is_the_return_up_to_the_window_s_end():
    np.testing.assert_array_equal(target(gae_lambda=1.0), np.float32([3.75, 5.5, 7]))


def test_its_credit_is_q_of_the_action_taken():
    tau = trajectory(REWARD, v=[[5], [6], [7]])  # whose action is 0
    np.testing.assert_array_equal(evaluate(ActionValue(0.5), tau, learner(Even(), Spread()))[0][:, 0], [4, 5, 6])
