"""Learning from another policy's data, exact: what is unbiased, what is not and by how much, and at what variance."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import algorithm, batches, estimates, expectation
from sampling import assert_unbiased
from worlds import GAMMA, Softmax, table
from worlds import drawn as drawn_by

from logpi.credit.exact_q import ExactQ
from logpi.credit.per_decision import PerDecision
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.objectives.importance import importance
from logpi.objectives.importance_weighted import ImportanceWeighted
from logpi.objectives.naive import naive
from logpi.objectives.outputs import Outputs
from logpi.objectives.score import score
from logpi.objectives.weights import (
    SelfNormalized,
    TruncatedWeights,
    cumulative_weights,
    effective_sample_size,
    step_weights,
    trajectory_weights,
    unit_weights,
)
from logpi.policies.evaluate import evaluate_policy
from logpi.types import State

TO_GO = TimeDiscounted(RewardToGo(GAMMA), GAMMA)


def two_policies(mdp):
    """(π, the policy to be improved; μ, the one that acted)."""
    return Softmax(table(mdp)), Softmax(table(mdp, seed=1))


def minus_five(state, tau, phi):
    """b = −5."""
    return jnp.full_like(phi, -5.0)


UNBIASED = {
    "Π ρ · R(τ)": (TotalReturn(GAMMA), trajectory_weights),
    "Π ρ · reward-to-go": (TO_GO, trajectory_weights),
    "Π ρ · (reward-to-go − b)": (TO_GO - minus_five, trajectory_weights),
    "Π_{k≤t} ρ · per-decision": (TimeDiscounted(PerDecision(GAMMA), GAMMA), cumulative_weights),
}


@pytest.mark.thorough_after(7)
@pytest.mark.parametrize(("credit", "weights"), UNBIASED.values(), ids=UNBIASED.keys())
def test_unbiased_from_another_policys_data(credit, weights, drawn):
    mdp = drawn(3)
    pi, mu = two_policies(mdp)
    got = expectation(algorithm(credit, ImportanceWeighted(weights)), mdp, pi, mu=mu)
    np.testing.assert_allclose(got, mdp.gradient(pi.logits), rtol=1e-8, atol=1e-10)


def test_up_to_the_action_is_enough_where_q_tells_what_follows(drawn):
    mdp = drawn(3)
    pi, mu = two_policies(mdp)
    credit = TimeDiscounted(ExactQ(mdp), GAMMA)
    got = expectation(algorithm(credit, ImportanceWeighted(cumulative_weights)), mdp, pi, mu=mu)
    np.testing.assert_allclose(got, mdp.gradient(pi.logits), rtol=1e-8, atol=1e-10)


def test_per_step_weights_are_off_by_the_states_and_by_what_follows(drawn):
    """E ĝ = Σ_t γ^t Σ_s P_μ(s_t = s) Σ_a ∇π(a|s) Q_t^μ(s, a): μ's states and μ's future, π's action alone."""
    mdp = drawn(3)
    pi, mu = two_policies(mdp)
    jacobian = jax.jit(jax.vmap(jax.jacobian(jax.nn.softmax)))(pi.logits)
    target = np.einsum("ti,ijk,tij->ik", mdp.occupancy(mu.logits), jacobian, mdp.action_value(mu.logits))
    for objective in (ImportanceWeighted(step_weights), importance):
        got = expectation(algorithm(TO_GO, objective), mdp, pi, mu=mu)
        np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(target - mdp.gradient(pi.logits)) > 0.01 * np.linalg.norm(target)


def test_taking_rho_for_one_is_off_by_the_action_too(drawn):
    """E ĝ = Σ_t γ^t Σ_s P_μ(s_t = s) Σ_a μ(a|s) ∇log π(a|s) Q_t^μ(s, a)."""
    mdp = drawn(3)
    pi, mu = two_policies(mdp)
    jacobian = jax.jit(jax.vmap(jax.jacobian(jax.nn.log_softmax)))(pi.logits)
    rows = mdp.action_value(mu.logits) * jax.nn.softmax(mu.logits)[None]
    target = np.einsum("ti,ijk,tij->ik", mdp.occupancy(mu.logits), jacobian, rows)
    got = expectation(algorithm(TO_GO, ImportanceWeighted(unit_weights)), mdp, pi, mu=mu)
    np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(target - mdp.gradient(pi.logits)) > 0.01 * np.linalg.norm(target)


OWN = {
    "trajectory": trajectory_weights,
    "cumulative": cumulative_weights,
    "step": step_weights,
    "unit": unit_weights,
    "self-normalized": SelfNormalized(trajectory_weights),
    "truncated": TruncatedWeights(step_weights, 1.5),
}


@pytest.mark.thorough_after(6)
@pytest.mark.parametrize("weights", OWN.values(), ids=OWN.keys())
def test_on_ones_own_data_all_are_the_reward_to_go_gradient(weights, drawn):
    """At π = μ every weight is 1: row for row the score estimate, not only on average."""
    mdp = drawn(3)
    pi, _ = two_policies(mdp)
    tau, columns, _ = batches(mdp, pi, 1)
    state = State(pi, None, (), ())
    got, want = (estimates(algorithm(TO_GO, o), state, tau, columns) for o in (ImportanceWeighted(weights), score))
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def weights_of(mdp, weights):
    """(w of every trajectory of μ at every time, p_μ)."""
    pi, mu = two_policies(mdp)
    tau, _, chance = batches(mdp, mu, 1)
    batch = algorithm(TO_GO, ImportanceWeighted(weights))._batch(State(pi, None, (), ()), tau, None)
    return np.asarray(eqx.filter_jit(weights)(evaluate_policy(pi, batch), batch)), np.asarray(chance), tau, pi


def test_a_trajectorys_weight_is_the_ratio_of_its_probabilities(drawn):
    mdp = drawn(3)
    w, chance, tau, pi = weights_of(mdp, trajectory_weights)
    want = np.exp(mdp.log_probability(pi, tau)) / chance
    for row in w:
        np.testing.assert_allclose(row, want, rtol=1e-8)


def test_weights_have_mean_one_at_every_time(drawn):
    """E_μ[Π_{k≤t} ρ_k] = 1, trajectories that have ended among them."""
    w, chance, _, _ = weights_of(drawn(3), cumulative_weights)
    np.testing.assert_allclose(w @ chance, 1, rtol=1e-8)


def endless(mdp):
    """The problem without an early end, so that every trajectory has as many steps as the horizon."""
    transition = mdp.transition.at[..., 2].set(0)
    transition = transition / jnp.sum(transition, axis=-1, keepdims=True)
    return eqx.tree_at(lambda m: (m.transition, m.terminal), mdp, (transition, jnp.zeros(3, bool)))


def the_same_everywhere():
    """(π, μ), each with one distribution for all states."""
    return [Softmax(jnp.tile(jnp.array(row), (3, 1))) for row in ([0.0, 1.0], [0.5, 0.0])]


@pytest.mark.slow
def test_the_variance_of_products_grows_exponentially_with_time(drawn):
    """With one π and one μ in every state, Var Π ρ = (1 + χ²)^T − 1, χ² = Σ_a π²/μ − 1."""
    pi, mu = the_same_everywhere()
    p, q = jax.nn.softmax(pi.logits[0]), jax.nn.softmax(mu.logits[0])
    for horizon in (1, 2, 4):
        tau, _, chance = batches(endless(drawn(horizon)), mu, 1)
        batch = algorithm(TO_GO, ImportanceWeighted(trajectory_weights))._batch(State(pi, None, (), ()), tau, None)
        w = trajectory_weights(pi, batch)[0]
        np.testing.assert_allclose(chance @ w**2 - 1, jnp.sum(p**2 / q) ** horizon - 1, rtol=1e-8)


@pytest.mark.slow
def test_and_the_gradients_with_it(double):
    """Beside that of weights for each time step."""
    pi, mu = the_same_everywhere()
    spread = {trajectory_weights: [], step_weights: []}
    for horizon in (1, 2, 4):
        tau, columns, chance = batches(endless(drawn_by(0, horizon)), mu, 1)
        for weights, found in spread.items():
            g = estimates(
                algorithm(TotalReturn(GAMMA), ImportanceWeighted(weights)), State(pi, None, (), ()), tau, columns
            )
            centered = g - jnp.tensordot(chance, g, 1)[None]
            found.append(float(jnp.sum(chance[:, None, None] * centered**2)))
    ratio = np.divide(*spread.values())
    assert ratio[0] == pytest.approx(1) and (np.diff(ratio) > 0).all() and ratio[-1] > 1.5


def by_hand(mdp, reshape):
    """E ĝ over all pairs of μ's trajectories, w ↦ reshape(w of the pair), in NumPy."""
    pi, mu = two_policies(mdp)
    tau, columns, chance = batches(mdp, mu, 1)
    state = State(pi, None, (), ())
    g = np.asarray(estimates(algorithm(TotalReturn(GAMMA), ImportanceWeighted(unit_weights)), state, tau, columns))
    w = np.exp(np.asarray(mdp.log_probability(pi, tau))) / np.asarray(chance)
    target = np.zeros(g.shape[1:])
    for i, j in np.ndindex(chance.size, chance.size):
        a, b = reshape(np.array([w[i], w[j]]))
        target += float(chance[i] * chance[j]) * (a * g[i] + b * g[j]) / 2
    return target, pi, mu


@pytest.mark.thorough_after(1)
def test_normalized_by_themselves_they_have_the_bias_computed_by_hand(drawn):
    mdp = drawn(2)
    target, pi, mu = by_hand(mdp, lambda w: w / w.mean())
    got = expectation(
        algorithm(TotalReturn(GAMMA), ImportanceWeighted(SelfNormalized(trajectory_weights))), mdp, pi, mu=mu, m=2
    )
    np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(target - mdp.gradient(pi.logits)) > 0.01 * np.linalg.norm(target)


@pytest.mark.thorough_after(1)
def test_truncated_they_have_the_bias_computed_by_hand(drawn):
    mdp = drawn(2)
    target, pi, mu = by_hand(mdp, lambda w: np.minimum(w, 1.2))
    got = expectation(
        algorithm(TotalReturn(GAMMA), ImportanceWeighted(TruncatedWeights(trajectory_weights, 1.2))), mdp, pi, mu=mu
    )
    np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
    assert np.linalg.norm(target - mdp.gradient(pi.logits)) > 0.01 * np.linalg.norm(target)


@pytest.mark.parametrize("weights", [trajectory_weights, cumulative_weights], ids=["trajectory", "cumulative"])
def test_normalized_weights_have_mean_one_in_every_batch(weights, double):
    w = weights_of(drawn_by(0, 3), SelfNormalized(weights))[0]
    np.testing.assert_allclose(w.mean(axis=1), 1, rtol=1e-10)


def test_normalized_step_weights_have_mean_one_over_valid_rows(double):
    w, _, tau, _ = weights_of(drawn_by(0, 3), SelfNormalized(step_weights))
    np.testing.assert_allclose(w[: w.size].ravel()[np.ravel(tau.valid)].mean(), 1, rtol=1e-10)


def test_the_naive_update_is_off_by_the_policy_itself(drawn):
    """E ĝ = Σ_t γ^t Σ_s P(s_t = s) Σ_a π(a|s) ∇π(a|s) Q_t(s, a), with one factor π(a|s) too many."""
    mdp = drawn(3)
    pi, _ = two_policies(mdp)
    jacobian = np.asarray(jax.jit(jax.vmap(jax.jacobian(jax.nn.softmax)))(pi.logits))
    rows = mdp.action_value(pi.logits) * jax.nn.softmax(pi.logits)[None]
    target = np.einsum("ti,ijk,tij->ik", mdp.occupancy(pi.logits), jacobian, rows)
    for credit in (TO_GO, TimeDiscounted(ExactQ(mdp), GAMMA)):
        got = expectation(algorithm(credit, naive), mdp, pi)
        np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)


def test_a_baseline_changes_the_naive_update(drawn):
    """Which no baseline does to ∇J: of this update, nothing but its first step can be trusted."""
    mdp = drawn(3)
    pi, _ = two_policies(mdp)
    plain, less = (expectation(algorithm(c, naive), mdp, pi) for c in (TO_GO, TO_GO - minus_five))
    assert np.linalg.norm(plain - less) > 0.1 * np.linalg.norm(plain)


def test_where_the_policy_is_uniform_the_naive_update_is_a_share_of_the_gradient(drawn):
    mdp = drawn(3)
    pi = Softmax(jnp.zeros((3, 2)))
    got = expectation(algorithm(TO_GO, naive), mdp, pi)
    np.testing.assert_allclose(got, mdp.gradient(pi.logits) / 2, rtol=1e-8, atol=1e-10)


def test_the_naive_update_can_lead_away_from_what_is_better(double):
    """A bandit: 1 for the rare arm, 0.9 for the frequent one. ∇J favors the rare arm, E ∇π·R the frequent one."""
    from logpi.oracle.mdp import MDP

    stay = np.ones((1, 2, 1))
    mdp = MDP(stay, np.array([[[1.0], [0.9]]]), [1.0], 1.0, horizon=1)
    pi = Softmax(jnp.log(jnp.array([[0.1, 0.9]])))
    assert mdp.gradient(pi.logits)[0, 0] > 0
    assert expectation(algorithm(TotalReturn(), naive), mdp, pi)[0, 0] < 0


def test_as_the_policy_drifts_the_batch_is_worth_less(drawn):
    """(Σw)²/Σw² is n at μ, and falls with every step away, for rows and for trajectories, for them faster."""
    mdp = drawn(3)
    _, mu = two_policies(mdp)
    tau, _, _ = batches(mdp, mu, 1)
    worth = {}
    for weights in (trajectory_weights, step_weights):
        batch = algorithm(TO_GO, ImportanceWeighted(weights))._batch(State(mu, None, (), ()), tau, None)
        away = lambda c: Softmax(mu.logits + c * jnp.array([[1.0, -1.0]] * 3))
        answers = [evaluate_policy(away(c), batch) for c in (0.0, 0.1, 0.2, 0.4, 0.8)]
        shares = [effective_sample_size(weights, answer, batch)["effective_share"] for answer in answers]
        worth[weights] = np.array(shares)
        np.testing.assert_allclose(worth[weights][0], 1, rtol=1e-10)
        assert (np.diff(worth[weights]) < 0).all()
    assert (worth[trajectory_weights][1:] < worth[step_weights][1:]).all()


def test_the_effective_sample_size_is_what_kong_defined(drawn):
    mdp = drawn(3)
    w, _, tau, pi = weights_of(mdp, step_weights)
    valid = np.asarray(tau.valid)
    batch = algorithm(TO_GO, ImportanceWeighted(step_weights))._batch(State(pi, None, (), ()), tau, None)
    info = ImportanceWeighted(step_weights).info(Outputs(pi, batch), batch)
    flat = w.ravel()[valid.ravel()]
    np.testing.assert_allclose(info["effective_sample_size"], flat.sum() ** 2 / (flat**2).sum(), rtol=1e-10)
    np.testing.assert_allclose(info["effective_share"], info["effective_sample_size"] / flat.size, rtol=1e-10)
    np.testing.assert_allclose(info["largest_weight"], flat.max(), rtol=1e-10)


@pytest.mark.thorough
def test_played_by_another_policy_and_averaged_it_is_the_gradient():
    mdp = drawn_by(3, 2)
    pi = Softmax(table(mdp))
    mu = Softmax(0.5 * pi.logits)
    credit, weights = UNBIASED["Π ρ · reward-to-go"]
    assert_unbiased(algorithm(credit, ImportanceWeighted(weights)), mdp, pi, mdp.gradient(pi.logits), mu=mu)
