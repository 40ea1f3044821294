"""Credit by Q, exact, by listing all trajectories."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import algorithm, batches, expectation
from worlds import GAMMA, WORLDS, Softmax, table

from logpi.credit.action_value import ActionValue, action_mean_baseline
from logpi.credit.exact_q import ExactQ
from logpi.credit.time_discounted import TimeDiscounted
from logpi.distributions.gaussian import Gaussian
from logpi.errors import LogpiError
from logpi.oracle.time_augmented import time_augmented
from logpi.types import State

WITH_Q = {
    "Q": ActionValue(GAMMA),
    "Q less its mean over actions": ActionValue(GAMMA) - action_mean_baseline,
}


class Worths(eqx.Module):
    """Q as one number a state and action, read by the observation e_s."""

    table: jax.Array

    def __call__(self, obs, action):
        return (obs @ self.table)[action]


def clocked(mdp):
    """(the same with time as part of the state, so that Q is a function of the state; a policy on it)."""
    timed = time_augmented(mdp)
    return dataclasses.replace(timed, horizon=mdp.horizon), timed, Softmax(table(timed))


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("credit", WITH_Q.values(), ids=WITH_Q.keys())
def test_with_the_exact_q_the_mean_gradient_is_that_of_the_utility(credit, drawn):
    listed, timed, policy = clocked(drawn(3))
    critic = Worths(timed.action_value(policy.logits))
    got = expectation(algorithm(TimeDiscounted(credit, GAMMA)), listed, policy, critic=critic)
    np.testing.assert_allclose(got, timed.gradient(policy.logits), rtol=1e-8, atol=1e-10)


def test_the_models_own_q_needs_no_critic(drawn):
    finite = drawn(4)
    policy = Softmax(table(finite))
    got = expectation(algorithm(TimeDiscounted(ExactQ(finite), GAMMA)), finite, policy)
    np.testing.assert_allclose(got, finite.gradient(policy.logits), rtol=1e-8, atol=1e-10)


def test_a_wrong_q_biases_it_as_computed(drawn):
    """E ĝ = Σ_t γ^t Σ_s P(s_t = s) Σ_a ∇π(a|s) Q̂(s, a); any b(s), so its mean over actions too, changes nothing."""
    finite = drawn(4)
    policy = Softmax(table(finite))
    wrong = Worths(jnp.asarray(np.random.default_rng(9).normal(size=(finite.states, finite.actions))))
    jacobian = jax.jit(jax.vmap(jax.jacobian(jax.nn.softmax)))(policy.logits)
    target = np.einsum("ti,ijk,ij->ik", finite.occupancy(policy.logits), jacobian, wrong.table)
    for credit in WITH_Q.values():
        got = expectation(algorithm(TimeDiscounted(credit, GAMMA)), finite, policy, critic=wrong)
        np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(target - finite.gradient(policy.logits)) > 0.01 * np.linalg.norm(target)


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("gae_lambda", [0.0, 0.6, 1.0])
def test_the_exact_q_is_the_fixed_point_of_its_targets(gae_lambda, drawn):
    """E[target_t | s_t, a_t] = Q(s_t, a_t) at Q = Q^π, whatever λ."""
    listed, timed, policy = clocked(drawn(3))
    exact = timed.action_value(policy.logits)
    found, weight = mean_targets(ActionValue(GAMMA, gae_lambda), listed, policy, Worths(exact))
    np.testing.assert_allclose(found[weight > 0], exact[weight > 0], rtol=1e-8, atol=1e-10)


def test_a_step_of_expected_sarsa_is_one_bellman_backup(drawn):
    """λ = 0: E[target | s, a] = r + γ Σ_s' P Σ_a' π Q̂, for any Q̂."""
    listed, timed, policy = clocked(drawn(3))
    wrong = jnp.asarray(np.random.default_rng(9).normal(size=(timed.states, timed.actions)))
    value = np.where(timed.terminal, 0, np.sum(jax.nn.softmax(policy.logits) * wrong, axis=1))
    backup = np.sum(np.asarray(timed.transition) * (np.asarray(timed.reward) + GAMMA * value), axis=-1)
    found, weight = mean_targets(ActionValue(GAMMA), listed, policy, Worths(wrong))
    np.testing.assert_allclose(found[weight > 0], backup[weight > 0], rtol=1e-8, atol=1e-10)


def mean_targets(credit, mdp, policy, critic):
    """(E[target | s, a], the weight of each s, a), over all rows of all trajectories."""
    tau, _, chance = batches(mdp, policy, 1)
    target = eqx.filter_jit(credit)(State(policy, critic, (), ()), tau)[1]
    weight = jnp.where(tau.valid, chance[None], 0)
    where = (jnp.argmax(tau.obs, axis=-1), tau.action)
    empty = jnp.zeros((mdp.states, mdp.actions))
    total = empty.at[where].add(weight)
    return np.asarray(empty.at[where].add(weight * target) / jnp.maximum(total, 1e-300)), np.asarray(total)


def test_actions_that_cannot_be_listed_are_refused(double):
    mdp = WORLDS["two-state"](2)
    tau = mdp.trajectories(Softmax(table(mdp)))
    state = State(lambda obs: Gaussian(obs, obs), Worths(jnp.zeros((2, 2))), (), ())
    with pytest.raises(LogpiError, match="Categorical policy; this one answers with Gaussian"):
        action_mean_baseline(state, tau, tau.reward)
