"""The composition: credit, objective, update and fit, and what passes between them."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from builders import Walk, at, behavior, bits, close, on_device, replaced, stirred
from helpers import mostly_slow

import logpi
from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.core.collection import Episodes, Steps
from logpi.core.schedules import LinearSchedule
from logpi.core.undefined import UNDEFINED
from logpi.credit.baseline import mean_baseline
from logpi.credit.gae import GAE
from logpi.credit.reward_to_go import RewardToGo
from logpi.environments.vmap import Vmap
from logpi.errors import LogpiError
from logpi.objectives.advantage_normalized import AdvantageNormalized
from logpi.objectives.base import Objective
from logpi.objectives.clipped import Clipped
from logpi.objectives.entropy import entropy
from logpi.objectives.importance import importance
from logpi.objectives.importance_weighted import ImportanceWeighted
from logpi.objectives.score import score
from logpi.objectives.weights import trajectory_weights
from logpi.policies.critic import mlp_critic
from logpi.policies.policy import mlp_policy
from logpi.types import ravel, trainable
from logpi.updates.ascent import Ascent

SGD = Ascent(optax.sgd, 0.1)
PPO = PolicyGradient(
    GAE(0.99, 0.95),
    AdvantageNormalized(Clipped(0.2)) + 0.01 * entropy,
    Ascent(optax.adam, 3e-3, minibatch_size=24, max_grad_norm=0.5),
    fit="joint",
    epochs=2,
    collect=Steps(16),
)
A2C = PolicyGradient(GAE(0.99, 0.9), score, SGD, fit=Ascent(optax.adam, 1e-2, epochs=3), collect=Steps(16))
REINFORCE = PolicyGradient(RewardToGo(0.99) - mean_baseline, score, SGD, collect=Episodes(episodes_per_env=2))
METHODS = {"ppo": PPO, "a2c": A2C, "reinforce": REINFORCE}
ENVIRONMENT, CONTINUOUS = Vmap(Walk(), 4, 12), Vmap(Walk(continuous=True), 4, 12)


def begun(algorithm, key, normalize=False, normalize_returns=False, environment=ENVIRONMENT):
    """The learner of the walk before any experience."""
    policy = behavior(environment, key, normalize=normalize).policy
    if algorithm.fit is None:
        return algorithm.init(policy)
    options = {"hidden": (8,), "normalize": normalize, "normalize_returns": normalize_returns}
    critic = mlp_critic(environment.spec.observation_space, key=key, **options)
    return algorithm.init(policy, stirred(critic, key))


@functools.cache
def experience(collect, environment=ENVIRONMENT):
    """One rollout of the walk by the policy that every learner here begins with."""
    key = jr.key(20)
    return on_device(environment, behavior(environment, key), collect, key)


@eqx.filter_jit
def learned(algorithm, state, tau, key):
    """(state', figures)."""
    return algorithm.learn(state, algorithm.behavior(state, key), tau, key)


def changed(algorithm, **parts):
    """The algorithm with other parts."""
    return dataclasses.replace(algorithm, **parts)


class Reporting(Objective):
    """The score objective, with the batch it is evaluated on among its figures."""

    def __call__(self, outputs, batch):
        return score(outputs, batch)

    def info(self, outputs, batch):
        return {"scale": batch.scale, "rows": jnp.sum(batch.valid, dtype=float)}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("name", mostly_slow(METHODS, 2))
def test_rows_that_are_not_valid_leave_no_trace(key, name):
    """Whatever stands in them, NaN or a million: state and figures stay the same, bit for bit."""
    algorithm = METHODS[name]
    state = begun(algorithm, key, normalize=True)
    tau = experience(algorithm.collect)
    valid = tau.valid if tau.complete else jr.bernoulli(key, 0.7, tau.valid.shape)
    assert not valid.all()

    def spoilt(x):
        bad = jnp.nan if jnp.issubdtype(x.dtype, jnp.floating) else jnp.asarray(1_000_000, x.dtype)
        return jnp.where(valid.reshape(*valid.shape, *[1] * (x.ndim - 2)), x, bad)

    dirty = replaced(jax.tree.map(spoilt, tau), valid=valid)
    clean = learned(algorithm, state, replaced(tau, valid=valid), key)
    assert bits(learned(algorithm, state, dirty, key)) == bits(clean)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(trainable(clean[0])[0]))


@pytest.mark.parametrize("name", mostly_slow(METHODS))
def test_learning_is_fixed_by_the_key(key, name):
    """The same bits again; another key, another order of the minibatches, where there are any."""
    algorithm = METHODS[name]
    state = begun(algorithm, key)
    tau = experience(algorithm.collect)
    one, same, other = (bits(learned(algorithm, state, tau, k)) for k in (key, key, jr.key(1)))
    assert one == same and (one == other) is (algorithm.update.minibatch_size is None)


@pytest.mark.parametrize("name", mostly_slow(reversed(METHODS)))
def test_no_key_is_used_twice(name):
    """From the networks' first weights to the end of one update, under JAX's own check."""
    algorithm, space = METHODS[name], ENVIRONMENT.spec.observation_space
    with jax.debug_key_reuse(True):
        k_policy, k_critic, k_tau, k_learn = jr.split(jr.key(3), 4)
        policy = mlp_policy(space, ENVIRONMENT.spec.action_space, hidden=(8,), key=k_policy)
        critic = mlp_critic(space, hidden=(8,), key=k_critic) if algorithm.fit else None
        state = algorithm.init(policy, critic)
        tau = on_device(ENVIRONMENT, algorithm.behavior(state, k_tau), algorithm.collect, k_tau)
        eqx.filter_jit(algorithm.learn)(state, algorithm.behavior(state, k_tau), tau, k_learn)


@pytest.mark.parametrize("environment", mostly_slow([ENVIRONMENT, CONTINUOUS]), ids=["discrete", "gaussian"])
def test_the_first_step_starts_from_the_policy_that_acted(key, environment):
    """With a rate of 0, ρ = 1 in every row: nothing clipped, no divergence, all rows effective."""
    algorithm = changed(PPO, update=Ascent(optax.sgd, 0.0, minibatch_size=24))
    state = begun(algorithm, key, environment=environment)
    tau = experience(algorithm.collect, environment)
    new, info = learned(algorithm, state, tau, key)
    assert info["clip_fraction"] == 0 and abs(info["kl"]) < 1e-8
    np.testing.assert_allclose(info["effective_sample_size"], tau.valid.sum(), rtol=1e-5)
    assert bits(new.policy) == bits(state.policy)


def test_credit_recomputed_each_epoch_is_learning_anew_from_the_same_rollout(key):
    """Two epochs with `recompute_advantages` are two calls of one epoch; without, the targets of the first are kept."""
    once, twice = changed(A2C, recompute_advantages=True), changed(A2C, recompute_advantages=True, epochs=2)
    state = begun(A2C, key)
    tau = experience(A2C.collect)
    both = learned(once, learned(once, state, tau, key)[0], tau, key)[0]
    close(trainable(learned(twice, state, tau, key)[0])[0], trainable(both)[0], atol=1e-6)
    kept = learned(changed(twice, recompute_advantages=False), state, tau, key)[0]
    assert np.max(np.abs(kept.critic.network.layers[1].bias - both.critic.network.layers[1].bias)) > 1e-4


def test_a_joint_fit_ascends_the_sum_of_both_objectives(key):
    """By plain steps, π moves as it does alone and V as it does at `vf_coef` times the rate."""
    joint = changed(A2C, fit="joint", vf_coef=0.25, epochs=3)
    separate = changed(A2C, fit=Ascent(optax.sgd, 0.25 * 0.1), epochs=3)
    state, apart = begun(joint, key), begun(separate, key)
    tau = experience(joint.collect)
    one, other = learned(joint, state, tau, key)[0], learned(separate, apart, tau, key)[0]
    close(trainable(one.policy)[0], trainable(other.policy)[0], atol=1e-6)
    close(trainable(one.critic)[0], trainable(other.critic)[0], atol=1e-6)
    assert bits(one.critic) != bits(state.critic)


@pytest.mark.parametrize("option", [{}, {"recompute_advantages": True}, {"target_kl": 0.1}], ids=str)
def test_ppo_with_separate_learns_both_networks_alike_and_as_often(option):
    """The epochs are the updates' own, unless something is looked at between them."""
    recipe = logpi.ppo(separate_optimizers=True, epochs=4, **option)
    algorithm = recipe.algorithm(recipe.settings("CartPole-v1"))
    assert algorithm.fit == algorithm.update and algorithm.epochs * algorithm.update.epochs == 4
    assert algorithm.epochs == (4 if option else 1)


def test_a_joint_fit_has_one_norm_clip(key):
    """The pair's gradient is shortened as one vector: both moved together by the rate times the limit."""
    joint = changed(A2C, fit="joint", update=Ascent(optax.sgd, 1.0, max_grad_norm=1e-3))
    state = begun(joint, key)
    new, info = learned(joint, state, experience(joint.collect), key)
    np.testing.assert_allclose(info["step_norm"], 1e-3, rtol=1e-3)
    moved = [
        np.linalg.norm(ravel(a)[0] - ravel(b)[0]) for a, b in ((new.policy, state.policy), (new.critic, state.critic))
    ]
    assert min(moved) > 0 and np.linalg.norm(moved) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("fit", mostly_slow([None, "joint", SGD]), ids=["no critic", "joint", "separate_optimizers"])
def test_no_step_follows_a_divergence_that_is_too_large(key, fit):
    """One great step takes KL(π_old‖π) past the limit: π is bit for bit what that step made it."""
    algorithm = PolicyGradient(GAE(0.9, 0.9), importance, Ascent(optax.adam, 0.3), fit=fit, target_kl=0.02)
    algorithm = changed(algorithm, collect=Steps(16), credit=REINFORCE.credit if fit is None else algorithm.credit)
    algorithm = changed(algorithm, collect=Episodes()) if fit is None else algorithm
    state = begun(algorithm, key)
    tau = experience(algorithm.collect)
    once, first = learned(algorithm, state, tau, key)
    new, info = learned(changed(algorithm, epochs=5), state, tau, key)
    assert info["kl"] > 0.02 and info["epochs"] == first["epochs"] == 1
    assert bits((new.policy, new.opt)) == bits((once.policy, once.opt))
    on, info = learned(changed(algorithm, epochs=5, target_kl=None), state, tau, key)
    assert info["epochs"] == 5 and bits(on.policy) != bits(new.policy)


@pytest.mark.parametrize(
    "objective", mostly_slow([importance, ImportanceWeighted(trajectory_weights)]), ids=["rows", "trajectories"]
)
def test_a_batch_is_reused_until_it_is_worth_too_little(key, objective):
    """ESS = N at θ_old, less with every step; the first epoch that begins below the share does nothing."""
    algorithm = changed(REINFORCE, objective=objective, update=Ascent(optax.adam, 0.05))
    state = begun(algorithm, key)
    tau = experience(algorithm.collect)
    still = learned(changed(algorithm, update=Ascent(optax.sgd, 0.0)), state, tau, key)[1]
    share = [learned(changed(algorithm, epochs=n), state, tau, key)[1]["effective_share"] for n in (1, 2, 3)]
    np.testing.assert_allclose(still["effective_share"], 1, rtol=1e-5)
    np.testing.assert_allclose(
        still["effective_sample_size"], 8 if objective.sampling_unit == "trajectory" else tau.valid.sum()
    )
    assert 1 > share[0] > share[1] > share[2]
    least = float(share[0] + share[1]) / 2
    new, halted = learned(changed(algorithm, epochs=5, min_effective_sample_share=least), state, tau, key)
    twice, _ = learned(changed(algorithm, epochs=2), state, tau, key)
    assert halted["epochs"] == 2 and bits(new.policy) == bits(twice.policy)


@pytest.mark.slow
def test_steps_go_on_while_the_divergence_is_within_the_limit(key):
    """Small steps, and the first epoch that begins beyond the limit is the first that does nothing."""
    algorithm = PolicyGradient(GAE(0.9, 0.9), importance, Ascent(optax.adam, 0.02), fit=SGD, collect=Steps(16))
    state = begun(algorithm, key)
    tau = experience(algorithm.collect)
    kl = [learned(changed(algorithm, epochs=n), state, tau, key)[1]["kl"] for n in (1, 2)]
    halted = learned(changed(algorithm, epochs=5, target_kl=sum(kl) / 2), state, tau, key)[1]
    assert kl[0] < kl[1] and halted["epochs"] == 2
    np.testing.assert_allclose(halted["kl"], kl[1], rtol=1e-3)


def test_the_critic_goes_on_where_the_policy_has_halted(key):
    algorithm = changed(A2C, update=Ascent(optax.adam, 0.3), target_kl=0.02)
    state = begun(algorithm, key)
    tau = experience(algorithm.collect)
    once, more = (learned(changed(algorithm, epochs=n), state, tau, key)[0] for n in (1, 3))
    assert bits(once.policy) == bits(more.policy) and bits(once.critic) != bits(more.critic)


@pytest.mark.parametrize("fit", ["joint", SGD], ids=["joint", "separate_optimizers"])
def test_a_fit_without_a_critic_is_refused(key, fit):
    with pytest.raises(LogpiError, match="no critic to fit"):
        changed(A2C, fit=fit).init(behavior(ENVIRONMENT, key).policy)


@pytest.mark.parametrize("fit", [None, SGD, "joint"], ids=["no fit", "a fit", "joint"])
def test_a_critic_of_actions_needs_an_objective_of_actions(key, fit):
    spec = ENVIRONMENT.spec
    critic = logpi.mlp_action_critic(spec.observation_space, spec.action_space, hidden=(4,), key=key)
    with pytest.raises(
        LogpiError, match=r"answers Q\(s, a\) and critic_objective is Value.*critic_objective=action_value"
    ):
        PolicyGradient(logpi.ActionValue(0.9), score, SGD, fit=fit).init(None, critic)


def test_schedules_take_their_values_by_progress(key):
    objective = Clipped(LinearSchedule(0.2, 0.0)) + LinearSchedule(0.01, 0.0) * entropy
    algorithm = changed(PPO, update=Ascent(optax.adam, LinearSchedule(1e-3, 0.0)), objective=objective)
    now = algorithm.at(0.75)
    assert now.update.learning_rate == pytest.approx(2.5e-4)
    assert now.objective.first.clip_range == pytest.approx(0.05)
    assert now.objective.second.factor == pytest.approx(0.0025)
    state = begun(algorithm, key)
    tau = experience(algorithm.collect)
    by_hand = changed(PPO, update=Ascent(optax.adam, 2.5e-4), objective=Clipped(0.05) + 0.0025 * entropy)
    scheduled, given = learned(now, state, tau, key), learned(by_hand, state, tau, key)
    close(trainable(scheduled[0])[0], trainable(given[0])[0], atol=1e-7)
    np.testing.assert_allclose(scheduled[1]["learning_rate"], 2.5e-4, rtol=1e-6)


def test_statistics_are_absorbed_once_and_only_at_the_end(key):
    """θ is learned under the old statistics; then each valid row counts once, however many the epochs."""
    algorithm = changed(PPO, epochs=3, collect=Steps(16))
    state = begun(algorithm, key, normalize=True)
    tau = experience(algorithm.collect)
    tau = replaced(tau, valid=jr.bernoulli(key, 0.7, tau.valid.shape))
    new, info = learned(algorithm, state, tau, key)
    seen = np.asarray(tau.obs)[np.asarray(tau.valid)]
    for moments in (new.policy.encode.moments.value, new.critic.encode.moments.value):
        assert moments.count == len(seen)
        np.testing.assert_allclose(moments.mean, seen.mean(0), atol=1e-6)
        np.testing.assert_allclose(moments.variance, seen.var(0), rtol=1e-5)
    stale = eqx.tree_at(lambda p: p.encode.moments, new.policy, state.policy.encode.moments)
    drift = at(stale, tau.obs, 2).kl(at(new.policy, tau.obs, 2))
    np.testing.assert_allclose(info["statistics_kl"], drift[tau.valid].mean(), rtol=1e-3)
    assert info["statistics_kl"] > 1e-6
    old = at(state.policy, tau.obs, 2)
    np.testing.assert_allclose(info["kl"], old.kl(at(stale, tau.obs, 2))[tau.valid].mean(), rtol=1e-3)


def test_returns_are_measured_by_the_targets_of_valid_rows(key):
    """The critic's scale becomes their deviation; the policy is not moved by it."""
    state = begun(A2C, key, normalize_returns=True)
    tau = experience(A2C.collect)
    new, info = learned(A2C, state, tau, key)
    target = np.asarray(A2C.credit(state, tau)[1])
    np.testing.assert_allclose(new.critic.scale.sigma, target.std(), rtol=1e-4)
    assert info["statistics_kl"] == 0


def test_without_statistics_nothing_drifts(key):
    state = begun(A2C, key)
    assert learned(A2C, state, experience(A2C.collect), key)[1]["statistics_kl"] == 0


def test_sums_are_divided_by_episodes_where_they_are_whole_else_by_rows(key):
    """∇J under `Episodes`, ∇J over the mean length under `Steps`."""
    whole, window = changed(REINFORCE, objective=Reporting()), changed(A2C, objective=Reporting())
    state = begun(whole, key)
    tau = experience(whole.collect)
    info = learned(whole, state, tau, key)[1]
    assert info["scale"] == 8 and info["rows"] == int(tau.valid.sum())
    state = begun(window, key)
    tau = experience(window.collect)
    valid = tau.valid.at[3].set(False)
    info = learned(window, state, replaced(tau, valid=valid), key)[1]
    assert info["scale"] == info["rows"] == int(valid.sum()) == 60


def test_a_reward_beyond_measure_skips_the_update_and_counts_it(key):
    tau = experience(PPO.collect)
    algorithm = changed(PPO, objective=Clipped(0.2), update=Ascent(optax.adam, 3e-3, max_grad_norm=0.5))
    state = begun(algorithm, key)
    new, info = learned(algorithm, state, replaced(tau, reward=tau.reward * 1e30), key)
    assert info["skipped_updates"] == algorithm.epochs
    assert bits((new.policy, new.critic, new.opt)) == bits((state.policy, state.critic, state.opt))


def test_explained_variance_is_that_of_the_critic_before_learning(key):
    state = begun(A2C, key)
    tau = experience(A2C.collect)
    target, value = A2C.credit(state, tau)[1], at(state.critic, tau.obs, 2)
    by_hand = 1 - jnp.var(target - value) / jnp.var(target)
    np.testing.assert_allclose(learned(A2C, state, tau, key)[1]["explained_variance"], by_hand, rtol=1e-3)
    alone = learned(REINFORCE, begun(REINFORCE, key), experience(REINFORCE.collect), key)[1]
    assert alone["explained_variance"] == UNDEFINED
