"""Baselines of least variance: none of their kind does better, and the mean gradient stays what it is. All exact."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import algorithm, batches, expectation
from test_action_values import Worths
from worlds import GAMMA, Softmax, table

from logpi.credit.action_value import ActionValue
from logpi.credit.optimal_state_baseline import OptimalStateBaseline
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.objectives.optimal_baseline import (
    OptimalBaseline,
    all_samples,
    cross_half,
    leave_one_out,
    per_parameter,
    scalar_product,
    trajectory_scores,
)
from logpi.policies.behavior import Behavior
from logpi.types import State

CREDITS = {"R(τ)": TotalReturn(GAMMA), "γ^t · reward-to-go": TimeDiscounted(RewardToGo(GAMMA), GAMMA)}


@pytest.mark.thorough_after(5)
@pytest.mark.parametrize("product", [scalar_product, per_parameter])
@pytest.mark.parametrize("credit", CREDITS.values(), ids=CREDITS.keys())
def test_estimated_from_the_others_it_leaves_the_mean_gradient_alone(credit, product, drawn):
    mdp = drawn(2)
    policy = Softmax(table(mdp))
    got = expectation(algorithm(credit, OptimalBaseline(product)), mdp, policy, m=2)
    np.testing.assert_allclose(got, mdp.gradient(policy.logits), rtol=1e-8, atol=1e-10)


def test_what_the_others_say_has_nothing_of_ones_own_in_it():
    """However small they are beside it: in single precision, a sum of all less the own one would be 0, 0 and 1."""
    got = leave_one_out(jnp.asarray([[1.0], [3e-9], [1e-9]], jnp.float32))
    np.testing.assert_allclose(got, [[4e-9], [1 + 1e-9], [1 + 3e-9]], rtol=1e-6)


def test_estimated_from_the_other_half_too(drawn):
    mdp = drawn(2)
    policy = Softmax(table(mdp))
    got = expectation(algorithm(TotalReturn(GAMMA), OptimalBaseline(pooled=cross_half)), mdp, policy, m=2)
    np.testing.assert_allclose(got, mdp.gradient(policy.logits), rtol=1e-8, atol=1e-10)


def scores(mdp, credit):
    """(g and h of every trajectory, their probabilities), by the library."""
    policy = Softmax(table(mdp))
    tau, _, chance = batches(mdp, policy, 1)
    batch = algorithm(credit, OptimalBaseline())._batch(State(policy, None, (), ()), tau, None)
    return *map(np.asarray, eqx.filter_jit(trajectory_scores)(policy, batch)), np.asarray(chance)


def test_scores_are_the_gradients_of_each_trajectorys_sum(drawn):
    """Σ_t (1[k = a_t] − π(k|s_t)) at the logits of s_t, by hand; and E g = 0, E h = ∇J."""
    mdp = drawn(2)
    policy = Softmax(table(mdp))
    g, h, chance = scores(mdp, TotalReturn(GAMMA))
    tau = mdp.trajectories(policy)
    by_hand = np.zeros((chance.size, mdp.states, mdp.actions))
    for t, i in zip(*np.nonzero(np.asarray(tau.valid)), strict=True):
        s = int(np.argmax(tau.obs[t, i]))
        by_hand[i, s] += np.eye(mdp.actions)[int(tau.action[t, i])] - np.asarray(jax.nn.softmax(policy.logits[s]))
    np.testing.assert_allclose(g, by_hand.reshape(chance.size, -1), atol=1e-12)
    np.testing.assert_allclose(chance @ g, 0, atol=1e-12)
    np.testing.assert_allclose(chance @ h, np.ravel(mdp.gradient(policy.logits)), rtol=1e-8, atol=1e-10)


def test_estimated_from_everyone_it_has_the_bias_computed_by_hand(drawn):
    """E ĝ over all pairs, from g and h in NumPy; not ∇J."""
    mdp = drawn(2)
    policy = Softmax(table(mdp))
    g, h, chance = scores(mdp, TotalReturn(GAMMA))
    target = np.zeros(g.shape[1])
    own, cross = np.sum(g * g, axis=1), np.sum(h * g, axis=1)
    for i, j in np.ndindex(chance.size, chance.size):
        b = (cross[i] + cross[j]) / (own[i] + own[j])
        target += chance[i] * chance[j] * (h[i] + h[j] - b * (g[i] + g[j])) / 2
    got = expectation(algorithm(TotalReturn(GAMMA), OptimalBaseline(pooled=all_samples)), mdp, policy, m=2)
    np.testing.assert_allclose(np.ravel(got), target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(target - np.ravel(mdp.gradient(policy.logits))) > 0.05 * np.linalg.norm(target)


@pytest.mark.parametrize("credit", CREDITS.values(), ids=CREDITS.keys())
def test_no_constant_does_better_and_each_parameters_own_does_no_worse(credit, drawn):
    g, h, chance = scores(drawn(3), credit)
    trace = lambda b: float(chance @ np.sum((h - b * g) ** 2, axis=1) - np.sum((chance @ h) ** 2))
    mean = lambda product, x, y: chance @ np.asarray(product(jnp.asarray(x), jnp.asarray(y)))
    best = mean(scalar_product, h, g) / mean(scalar_product, g, g)
    own = mean(per_parameter, g, g)
    apart = np.where(own > 0, mean(per_parameter, h, g) / np.where(own > 0, own, 1), 0)
    constants = [0.0, float(chance @ np.sum(h * g, axis=1)), *(best + np.linspace(-3, 3, 61)).tolist()]
    assert all(trace(best) <= trace(b) + 1e-12 for b in constants)
    assert trace(best) < trace(0.0) and trace(apart) <= trace(best)
    assert all(trace(apart) <= trace(apart + d) + 1e-12 for d in 0.1 * np.concatenate([np.eye(6), -np.eye(6)]))


@pytest.mark.thorough_after(1)
def test_of_many_trajectories_the_estimated_one_is_the_best(drawn):
    """ĝ on columns in proportion to their probability is E h − b* E g, and b* the exact one, for one and for each."""
    mdp = drawn(2)
    policy = Softmax(table(mdp))
    tau, _, chance = batches(mdp, policy, 1)
    picked = np.random.default_rng(0).choice(chance.size, 4000, p=np.asarray(chance / chance.sum()))
    many = jax.tree.map(lambda x: x[:, picked], tau)
    g, h, _ = scores(mdp, TotalReturn(GAMMA))
    g, h = g[picked], h[picked]
    for product in (scalar_product, per_parameter):
        method = algorithm(TotalReturn(GAMMA), OptimalBaseline(product, all_samples))
        batch = method._batch(State(policy, None, (), ()), many, None)
        got = eqx.filter_jit(eqx.filter_grad(method.objective.evaluate))(policy, batch).logits
        own = np.asarray(product(jnp.asarray(g), jnp.asarray(g))).sum(axis=0)
        b = np.asarray(product(jnp.asarray(h), jnp.asarray(g))).sum(axis=0) / np.where(own > 0, own, 1)
        np.testing.assert_allclose(np.ravel(got), (h - b * g).mean(axis=0), rtol=1e-8, atol=1e-10)


def test_no_state_baseline_does_better_on_a_row(drawn):
    """tr Cov of ∇log π(a|s) (Q − b(s)) over s ~ d, a ~ π: least at b*, against 0, V and any step away in any state."""
    mdp = drawn(None)
    policy = Softmax(table(mdp))
    critic = Worths(mdp.action_value(policy.logits))
    obs = jnp.eye(mdp.states)[None]
    tau = eqx.tree_at(lambda t: t.obs, drawn(1).trajectories(policy), obs)
    phi = jnp.zeros((1, mdp.states))
    best = np.asarray(eqx.filter_jit(OptimalStateBaseline(chunk=2))(State(policy, critic, (), ()), tau, phi))[0]
    pi = np.asarray(jax.nn.softmax(policy.logits))
    norms = np.sum((np.eye(mdp.actions)[None] - pi[:, None, :]) ** 2, axis=-1)
    weight = np.asarray(mdp.occupancy(policy.logits))[:, None] * pi * norms
    spread = lambda b: float(np.sum(weight * (np.asarray(critic.table) - b[:, None]) ** 2))
    rivals = [np.zeros(mdp.states), np.asarray(mdp.value(policy.logits))]
    rivals += [best + d for d in 0.05 * np.concatenate([np.eye(mdp.states)[:2], -np.eye(mdp.states)[:2]])]
    assert all(spread(best) < spread(b) for b in rivals)


def test_less_its_optimum_q_has_the_same_mean_gradient(drawn):
    mdp = drawn(3)
    policy = Softmax(table(mdp))
    critic = Worths(jnp.asarray(np.random.default_rng(9).normal(size=(mdp.states, mdp.actions))))
    plain, less = (TimeDiscounted(c, GAMMA) for c in (ActionValue(GAMMA), ActionValue(GAMMA) - OptimalStateBaseline()))
    got, want = (expectation(algorithm(c), mdp, policy, critic=critic) for c in (less, plain))
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10)


def test_one_step_of_ascent_is_along_it(double):
    """The linear objective serves any update: θ' − θ = α ĝ."""
    from worlds import drawn

    mdp = drawn(0, 2)
    policy = Softmax(table(mdp))
    method = algorithm(TotalReturn(GAMMA), OptimalBaseline())
    tau = mdp.trajectories(policy)
    new, info = eqx.filter_jit(method.learn)(method.init(policy), Behavior(policy), tau, jax.random.key(0))
    batch = method._batch(method.init(policy), tau, None)
    want = eqx.filter_jit(eqx.filter_grad(method.objective.evaluate))(policy, batch).logits
    np.testing.assert_allclose(new.policy.logits - policy.logits, want, rtol=1e-10, atol=1e-12)
    assert method.objective.sampling_unit == "trajectory" and np.isfinite(float(info["kl"]))
