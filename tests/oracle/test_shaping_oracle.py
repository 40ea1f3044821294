"""Shaping by a potential, exact: U moves by a constant, the gradient and the optimal policy by nothing."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from enumeration import algorithm, expectation
from worlds import GAMMA, Softmax, table

from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.environments.tasks.tabular import Tabular
from logpi.environments.wrappers.reward_shaping import RewardShaping
from logpi.oracle.time_augmented import time_augmented

WORTH = np.random.default_rng(5).normal(size=100)


def shaped(mdp, gamma=GAMMA):
    """The same task with R + γ Φ(s') − Φ(s), Φ := 0 in terminal states."""
    worth = jnp.asarray(WORTH[: mdp.states])
    after = jnp.where(mdp.terminal, 0, worth)
    return eqx.tree_at(lambda m: m.reward, mdp, mdp.reward + gamma * after[None, None, :] - worth[:, None, None])


@pytest.mark.thorough_after(1)
def test_the_utility_of_every_policy_moves_by_the_same_constant(drawn):
    """U' = U − E Φ(s₀), V' = V − Φ, Q' = Q − Φ, without a horizon and, time being in the state, with one."""
    for mdp in (drawn(None), time_augmented(drawn(3))):
        worth = jnp.where(mdp.terminal, 0, WORTH[: mdp.states])
        for seed in (0, 1):
            logits = table(mdp, seed)
            moved = shaped(mdp).utility(logits) - mdp.utility(logits)
            np.testing.assert_allclose(moved, -jnp.sum(mdp.initial * worth), rtol=1e-8)
            np.testing.assert_allclose(shaped(mdp).value(logits), mdp.value(logits) - worth, rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(shaped(mdp).gradient(logits), mdp.gradient(logits), rtol=1e-7, atol=1e-10)


def test_the_best_policy_stays_the_best(drawn):
    mdp = drawn(None)
    plain, other = mdp.optimal().policy, shaped(mdp).optimal().policy
    alive = ~np.asarray(mdp.terminal)
    np.testing.assert_array_equal(jnp.argmax(plain, axis=-1)[alive], jnp.argmax(other, axis=-1)[alive])


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(
    "credit", [TotalReturn(GAMMA), TimeDiscounted(RewardToGo(GAMMA), GAMMA)], ids=["R(τ)", "to go"]
)
def test_the_mean_gradient_stays_what_it_is(credit, drawn):
    timed = time_augmented(drawn(2))
    listed, policy = dataclasses.replace(shaped(timed), horizon=2), Softmax(table(timed))
    got = expectation(algorithm(credit), listed, policy)
    np.testing.assert_allclose(got, timed.gradient(policy.logits), rtol=1e-7, atol=1e-10)


def test_another_discount_in_the_shaping_does_change_the_gradient(drawn):
    mdp = drawn(None)
    logits = table(mdp)
    off = np.linalg.norm(shaped(mdp, 0.5).gradient(logits) - mdp.gradient(logits))
    assert off > 1e-3


def test_the_environment_pays_what_the_shaped_tables_say(double):
    """`RewardShaping(Tabular(mdp))` is `Tabular` of the shaped task, step for step."""
    from worlds import drawn

    mdp = drawn(0, None)
    wrapped = RewardShaping(Tabular(mdp), lambda obs: obs @ jnp.asarray(WORTH[: mdp.states]), GAMMA)
    plain = Tabular(shaped(mdp))

    @jax.jit
    def both(key):
        k_reset, k_step = jr.split(key)
        action = jr.bernoulli(k_step).astype(jnp.int32)
        one, two = (env.step(k_step, env.reset(k_reset)[0], action) for env in (wrapped, plain))
        return one[1:], two[1:]

    for seed in range(30):
        one, two = both(jr.key(seed))
        for x, y in zip(one, two, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-10)
