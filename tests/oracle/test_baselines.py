"""Baselines, by listing all batches of two trajectories: what each does to the mean gradient, exactly."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import algorithm, batches, estimates, expectation
from worlds import GAMMA, WORLDS, Softmax, table

from logpi.credit.base import Credit
from logpi.credit.baseline import LeaveOneOut, mean_baseline, time_mean_baseline
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.errors import LogpiError
from logpi.types import State

TO_GO = TimeDiscounted(RewardToGo(GAMMA), GAMMA)


def policy_on(mdp):
    """A softmax policy with nothing special about it."""
    return Softmax(table(mdp))


class Shrunk(Credit):
    """Φ_t ↦ c_t Φ_t."""

    credit: Credit
    share: jax.Array

    def __call__(self, state, tau):
        phi, target = self.credit(state, tau)
        return phi * self.share[:, None], target


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("credit", [TotalReturn(GAMMA), TO_GO], ids=["R(τ)", "γ^t · reward-to-go"])
def test_leaving_oneself_out_leaves_the_mean_gradient_alone(credit, drawn):
    small = drawn(2)
    policy = policy_on(small)
    got = expectation(algorithm(credit - LeaveOneOut()), small, policy, m=2)
    np.testing.assert_allclose(got, small.gradient(policy.logits), rtol=1e-8, atol=1e-10)


def test_the_mean_of_a_batch_shrinks_the_mean_gradient(drawn):
    """E ĝ = (1 − 1/m) ∇J, here m = 2."""
    small = drawn(2)
    policy = policy_on(small)
    got = expectation(algorithm(TotalReturn(GAMMA) - mean_baseline), small, policy, m=2)
    np.testing.assert_allclose(got, small.gradient(policy.logits) / 2, rtol=1e-8, atol=1e-10)


@pytest.mark.thorough_after(1)
def test_the_mean_of_each_time_shrinks_the_gradient_by_who_is_there(drawn):
    """E ĝ = Σ_t E[(1 − 1/N_t) ∇log π(a_t|s_t) Φ_t]: N_t is known before a_t, so others' credit adds nothing."""
    small = drawn(2)
    policy = policy_on(small)
    got = expectation(algorithm(TO_GO - time_mean_baseline), small, policy, m=2)
    tau, _, chance = batches(small, policy, 1)
    there = tau.valid.astype(float) @ chance  # P(N_t = 2), given that one is there: trajectories are independent
    target = expectation(algorithm(Shrunk(TO_GO, there / 2)), small, policy)
    np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)


@pytest.mark.thorough
def test_of_episodes_of_one_length_that_is_one_less_one_over_m(double):
    mdp = WORLDS["two-state"](2)
    got = expectation(algorithm(TO_GO - time_mean_baseline), mdp, policy_on(mdp), m=2)
    np.testing.assert_allclose(got, mdp.gradient(table(mdp)) / 2, rtol=1e-8)


def test_the_mean_of_each_time_is_the_mean_over_those_who_are_there(double):
    mdp = WORLDS["ending"](3)
    tau = mdp.trajectories(policy_on(mdp))
    b = np.asarray(time_mean_baseline(State(None, None, (), ()), tau, tau.reward))
    valid = np.asarray(tau.valid)
    assert not valid.all()
    for t in range(3):
        np.testing.assert_allclose(b[t], np.asarray(tau.reward)[t, valid[t]].mean(), rtol=1e-12)


@pytest.mark.thorough
def test_groups_are_strangers_to_each_other(double):
    """b of one group is LeaveOneOut of that group alone."""
    mdp = WORLDS["ending"](3)
    tau = jax.tree.map(lambda x: x[:, :12], mdp.trajectories(policy_on(mdp)))
    b = LeaveOneOut(group=4)(State(None, None, (), ()), tau, tau.reward)
    for start in (0, 4, 8):
        part = jax.tree.map(lambda x, i=start: x[:, i : i + 4], tau)
        alone = LeaveOneOut()(State(None, None, (), ()), part, part.reward)
        np.testing.assert_allclose(b[:, start : start + 4], alone, rtol=1e-12)
    by_hand = [np.asarray(tau.reward)[np.asarray(tau.valid)[:, j], j].mean() for j in (1, 2, 3)]
    np.testing.assert_allclose(b[:, 0], np.mean(by_hand), rtol=1e-12)


def test_alone_there_is_nobody_to_compare_with(double):
    mdp = WORLDS["ending"](3)
    tau = jax.tree.map(lambda x: x[:, :1], mdp.trajectories(policy_on(mdp)))
    assert not LeaveOneOut()(State(None, None, (), ()), tau, tau.reward).any()


def test_what_does_not_fit_is_refused(double):
    mdp = WORLDS["ending"](3)
    tau = jax.tree.map(lambda x: x[:, :4], mdp.trajectories(policy_on(mdp)))
    state = State(None, None, (), ())
    with pytest.raises(LogpiError, match="group is 3; allowed: a divisor of 4"):
        LeaveOneOut(3)(state, tau, tau.reward)
    window = eqx.tree_at(lambda t: t.reward, tau, tau.reward)
    object.__setattr__(window, "complete", False)
    with pytest.raises(LogpiError, match="whole episodes"):
        time_mean_baseline(state, window, tau.reward)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(
    "baseline", [LeaveOneOut(), mean_baseline, time_mean_baseline], ids=["others", "mean", "mean by time"]
)
def test_on_returns_that_share_a_level_each_lowers_the_variance(baseline, double):
    """Returns near 10 whatever is done: what is subtracted is nearly all there is. Variance over pairs, exact."""
    mdp = WORLDS["random"](3)
    mdp = eqx.tree_at(lambda m: m.reward, mdp, mdp.reward + 10)
    policy = policy_on(mdp)
    tau, columns, chance = batches(mdp, policy, 2)

    def spread(credit):
        found = estimates(algorithm(credit), State(policy, None, (), ()), tau, columns)
        mean = jnp.tensordot(chance, found, 1)
        return float(jnp.sum(chance[:, None, None] * (found - mean[None]) ** 2))

    assert spread(TotalReturn(GAMMA) - baseline) < 0.5 * spread(TotalReturn(GAMMA))
