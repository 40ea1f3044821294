"""ĝ by itself: the step that learning takes, and nothing of rows that do not count."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from helpers import TablePolicy, learner
from tiny_mdp import LOGITS, TAU

import logpi
from logpi.algorithms.batch import gradient
from logpi.policies.behavior import Behavior

CREDIT = logpi.TimeDiscounted(logpi.RewardToGo(0.9) - logpi.mean_baseline, 0.9)


@eqx.filter_jit
def estimate(objective, tau):
    """ĝ at the tiny MDP's policy."""
    return gradient(CREDIT, objective, learner(TablePolicy(LOGITS)), tau).logits


def test_it_is_the_step_of_plain_ascent():
    for objective in (logpi.score, logpi.OptimalBaseline()):
        method = logpi.PolicyGradient(CREDIT, objective, logpi.Ascent(optax.sgd, 1.0), collect=logpi.Episodes())
        policy = TablePolicy(LOGITS)
        new, _ = eqx.filter_jit(method.learn)(method.init(policy), Behavior(policy), TAU, jax.random.key(0))
        np.testing.assert_allclose(estimate(objective, TAU), new.policy.logits - LOGITS, rtol=1e-4, atol=1e-6)


def test_rows_that_are_not_valid_do_not_reach_it():
    spoilt = dataclasses.replace(TAU, reward=jnp.where(TAU.valid, TAU.reward, jnp.nan))
    np.testing.assert_array_equal(estimate(logpi.score, spoilt), estimate(logpi.score, TAU))
