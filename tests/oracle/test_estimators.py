"""The library's own estimators, by enumeration: their expectation is ∇U where they are unbiased, else their own target.

Every trajectory is a column, whose credit is weighted by its probability; the rest is `PolicyGradient` as it is.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from worlds import GAMMA, Softmax, Worth, table

import logpi
from logpi.core.collection import Episodes
from logpi.credit.base import Credit
from logpi.credit.baseline import value_baseline
from logpi.credit.gae import GAE
from logpi.credit.n_step import NStep
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.td_residual import TDResidual
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.objectives.score import score
from logpi.oracle.time_augmented import time_augmented
from logpi.policies.behavior import Behavior
from logpi.types import State, trainable


class Expected(Credit):
    """Each column's credit times its probability and the number of columns, which `scale` divides by."""

    credit: Credit
    chance: jax.Array

    def __call__(self, state, tau):
        phi, target = self.credit(state, tau)
        return phi * self.chance[None] * self.chance.size, target


def arbitrary(mdp):
    """A critic that knows nothing."""
    return Worth(jnp.asarray(np.random.default_rng(9).normal(size=mdp.states), float))


@eqx.filter_jit
def expectation(credit, mdp, policy, critic, tau):
    """E of the estimate, by the batch that `PolicyGradient` makes and the gradient of its objective."""
    chance = jnp.exp(mdp.log_probability(policy, tau))
    algorithm = logpi.PolicyGradient(Expected(credit, chance), score, plain(), collect=Episodes())
    state = State(policy, critic, (), ())
    batch = algorithm._batch(state, tau, jax.vmap(jax.vmap(policy))(tau.obs))
    return jax.grad(lambda theta: score.evaluate(eqx.combine(theta, trainable(policy)[1]), batch))(
        trainable(policy)[0]
    ).logits


def plain(learning_rate=1.0):
    """θ + α ∇J."""
    return logpi.Ascent(optax.sgd, learning_rate)


def estimate(credit, mdp, critic=None, seed=0):
    """(the expectation of the estimate, the policy's logits)."""
    logits = table(mdp, seed)
    policy = Softmax(logits)
    return expectation(credit, mdp, policy, critic, mdp.trajectories(policy)), logits


UNBIASED = {
    "R(τ)": TotalReturn(GAMMA),
    "γ^t · reward-to-go": TimeDiscounted(RewardToGo(GAMMA), GAMMA),
    "γ^t (reward-to-go − b(s))": TimeDiscounted(RewardToGo(GAMMA) - value_baseline, GAMMA),
    "R(τ) − b(s)": TotalReturn(GAMMA) - value_baseline,
    "γ^t · GAE(λ = 1)": TimeDiscounted(GAE(GAMMA, 1.0), GAMMA),
    "γ^t · n-step with n = T": TimeDiscounted(NStep(GAMMA, 9), GAMMA),
}


@pytest.mark.thorough_after(10)
@pytest.mark.parametrize("credit", UNBIASED.values(), ids=UNBIASED.keys())
def test_unbiased_whatever_the_critic_says(credit, finite):
    got, logits = estimate(credit, finite, arbitrary(finite))
    np.testing.assert_allclose(got, finite.gradient(logits), rtol=1e-8, atol=1e-10)


EXACT = {
    "γ^t · TD residual": TimeDiscounted(TDResidual(GAMMA), GAMMA),
    "γ^t · 2-step": TimeDiscounted(NStep(GAMMA, 2), GAMMA),
    "γ^t · GAE(λ = 0.7)": TimeDiscounted(GAE(GAMMA, 0.7), GAMMA),
    "γ^t · GAE(λ = 1)": TimeDiscounted(GAE(GAMMA, 1.0), GAMMA),
    "γ^t (reward-to-go − V)": TimeDiscounted(RewardToGo(GAMMA) - value_baseline, GAMMA),
}


@pytest.mark.thorough_after(8)
@pytest.mark.parametrize("credit", EXACT.values(), ids=EXACT.keys())
def test_unbiased_with_the_exact_critic(credit, finite):
    """V of a finite horizon depends on time, so time is made part of the state."""
    clocked = time_augmented(finite)
    critic = Worth(clocked.value(table(clocked)))
    got, logits = estimate(credit, dataclasses.replace(clocked, horizon=finite.horizon), critic)
    np.testing.assert_allclose(got, clocked.gradient(logits), rtol=1e-8, atol=1e-10)


def visits_and_policy(mdp, logits):
    """P(s_t = s), undiscounted, and ∇π as [S, A, A]: its derivative with respect to the logits of the same state."""
    undiscounted = dataclasses.replace(mdp, gamma=1.0)
    return undiscounted.occupancy(logits), jax.jit(jax.vmap(jax.jacobian(jax.nn.softmax)))(logits)


DROPPED = {
    "reward-to-go": RewardToGo(GAMMA),
    "reward-to-go − b(s)": RewardToGo(GAMMA) - value_baseline,
    "GAE(λ = 1)": GAE(GAMMA, 1.0),
}


@pytest.mark.thorough_after(4)
@pytest.mark.parametrize("credit", DROPPED.values(), ids=DROPPED.keys())
def test_without_the_factor_of_the_discount(credit, finite):
    """Dropping γ^t gives Σ_t Σ_s P(s_t = s) Σ_a ∇π(a|s) Q_t^γ(s, a), which is not ∇U (Nota and Thomas 2020)."""
    got, logits = estimate(credit, finite, arbitrary(finite))
    visits, jacobian = visits_and_policy(finite, logits)
    target = np.einsum("ti,ijk,tij->ik", visits, jacobian, finite.action_value(logits))
    np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(got - finite.gradient(logits)) > 0.01 * np.linalg.norm(got)


@pytest.mark.thorough_after(1)
def test_a_wrong_critic_biases_the_td_residual(finite):
    """E Σ_t γ^t ∇log π δ_t = Σ_t γ^t Σ_s P(s_t = s) Σ_a ∇π (r + γ P V̂), whatever V̂; it is ∇U only for V̂ = V."""
    critic = arbitrary(finite)
    got, logits = estimate(TimeDiscounted(TDResidual(GAMMA), GAMMA), finite, critic)
    _, jacobian = visits_and_policy(finite, logits)
    going_on = np.arange(finite.horizon) < finite.horizon - 1
    worth = going_on[:, None] * np.where(finite.terminal, 0, critic.table)
    backup = np.einsum("ijk,tijk->tij", finite.transition, np.asarray(finite.reward) + GAMMA * worth[:, None, None])
    target = np.einsum("ti,ijk,tij->ik", finite.occupancy(logits), jacobian, backup)
    np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(got - finite.gradient(logits)) > 0.01 * np.linalg.norm(got)


@pytest.mark.thorough_after(1)
def test_one_iteration_of_learning_is_one_step_along_the_gradient(finite):
    """θ' − θ = α ∇U through the whole of `PolicyGradient.learn`."""
    policy = Softmax(table(finite))
    tau = finite.trajectories(policy)

    @eqx.filter_jit
    def learned(policy, tau):
        chance = jnp.exp(finite.log_probability(policy, tau))
        credit = Expected(TimeDiscounted(RewardToGo(GAMMA), GAMMA), chance)
        algorithm = logpi.PolicyGradient(credit, score, plain(0.125), collect=Episodes())
        return algorithm.learn(algorithm.init(policy), Behavior(policy), tau, jax.random.key(0))[0].policy

    moved = (learned(policy, tau).logits - policy.logits) / 0.125
    np.testing.assert_allclose(moved, finite.gradient(policy.logits), rtol=1e-8, atol=1e-10)


@pytest.mark.thorough_after(2)
def test_causality(finite):
    """E[∇log π(a_t|s_t) r_l] = 0 for l < t: an action cannot change what came before it."""
    policy = Softmax(table(finite))
    tau = finite.trajectories(policy)
    for lag in range(1, finite.horizon):
        np.testing.assert_allclose(expectation(Reward(lag), finite, policy, None, tau), 0, atol=1e-12)


class Reward(Credit):
    """Φ_t = r_{t−lag}, 0 where there is none."""

    lag: int = eqx.field(static=True)

    def __call__(self, state, tau):
        earlier = jnp.concatenate([jnp.zeros_like(tau.reward[: self.lag]), tau.reward[: -self.lag]])
        return earlier, earlier
