"""The γ^k factor: with it the exact discounted gradient, without it a stated bias."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import TableCritic, evaluate, random_window, relative_error
from tiny_mdp import HORIZON, LOGITS, NEXT, START, TAU, action_values, expected_gradient_of, utility

from logpi.credit.baseline import mean_baseline, value_baseline
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.credit.with_target import WithTarget
from logpi.errors import LogpiError

GAMMA = 0.7
EXACT = jax.grad(utility)(LOGITS, GAMMA)


def without_the_factor():
    """Σ_t Σ_s P(s_t = s) Σ_a ∇π(a|s) Q_γ(s, a): discounted values, undiscounted visits."""
    policy = jax.nn.softmax(LOGITS)
    value, ahead = jnp.zeros(2), []
    for _ in range(HORIZON):
        ahead.insert(0, action_values(value, GAMMA))
        value = jnp.sum(policy * ahead[0], axis=1)
    visits, total = jnp.asarray(START), jnp.zeros_like(LOGITS)
    for q in ahead:
        total += jax.grad(lambda z, d=visits, q=q: jnp.sum(d[:, None] * jax.nn.softmax(z) * q))(LOGITS)
        visits = jnp.einsum("s,sa,sat->t", visits, policy, NEXT[:, :, :2])
    return total


def test_with_the_factor_the_mean_gradient_is_that_of_the_discounted_utility():
    assert relative_error(expected_gradient_of(TimeDiscounted(RewardToGo(GAMMA), GAMMA)), EXACT) < 1e-5


def test_without_the_factor_it_is_off_by_the_stated_bias():
    biased = expected_gradient_of(RewardToGo(GAMMA))
    assert relative_error(biased, without_the_factor()) < 1e-5
    assert relative_error(biased, EXACT) > 0.1


def test_around_a_credit_with_its_baseline_it_stays_exact():
    critic = TableCritic(jnp.array([2.0, -3.0, 5.0]))
    credit = TimeDiscounted(RewardToGo(GAMMA) - value_baseline, GAMMA)
    assert relative_error(expected_gradient_of(credit, critic), EXACT) < 1e-5


def test_the_power_counts_from_each_episodes_first_step():
    tau = random_window(np.random.default_rng(12), 10, 8)
    phi, target = evaluate(RewardToGo(0.9), tau)
    discounted, same = evaluate(TimeDiscounted(RewardToGo(0.9), 0.9), tau)
    np.testing.assert_allclose(discounted, phi * 0.9 ** np.asarray(tau.time), rtol=1e-5)
    np.testing.assert_array_equal(same, target)
    assert jnp.any(tau.time[1:] == 0)


def test_undiscounted_it_changes_nothing():
    plain, wrapped = (evaluate(credit, TAU)[0] for credit in (RewardToGo(1.0), TimeDiscounted(RewardToGo(1.0), 1.0)))
    np.testing.assert_array_equal(plain, wrapped)


@pytest.mark.parametrize(
    "credit",
    [
        TotalReturn(GAMMA),
        TotalReturn(GAMMA) - mean_baseline,
        WithTarget(TotalReturn(GAMMA), RewardToGo(GAMMA)),
        TimeDiscounted(RewardToGo(GAMMA), GAMMA),
    ],
    ids=["total return", "less a baseline", "with another target", "itself"],
)
def test_a_credit_that_has_the_factor_already_is_refused(credit):
    """R(τ) = Σ_k γ^k r_k counts from the start: γ^t R(τ) would be no gradient of anything."""
    with pytest.raises(LogpiError, match="discounted from the episode's start already; allowed: "):
        TimeDiscounted(credit, GAMMA)
