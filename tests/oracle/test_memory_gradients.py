"""Methods with memory, played in POMDPs: their mean gradient is the exact one of the policy of histories."""

import dataclasses
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gymnasium import spaces
from helpers import mostly_slow
from jax import lax
from jax.flatten_util import ravel_pytree
from paths import paths
from sampling import verdict

import logpi
from logpi.algorithms.batch import gradient, make_batch, prepare_trajectory
from logpi.core.collection import Episodes
from logpi.environments.tasks.partially_observed import PartiallyObserved
from logpi.environments.vmap import Vmap
from logpi.objectives.penalized import divergence
from logpi.oracle.pomdp_problems import repeat_first, t_maze, tiger
from logpi.policies.behavior import Behavior
from logpi.policies.cores.factory import core_factory
from logpi.policies.evaluate import evaluate_policy
from logpi.policies.recurrent import recurrent_critic, recurrent_policy
from logpi.rollout import device
from logpi.types import State, Trajectory, ravel
from logpi.updates.fisher import fisher_product

EVERY = ["gru", "lstm", "mingru", "attention"]
PROBLEMS = {
    "repeat-first": repeat_first(delay=2),
    "tiger": tiger(accuracy=0.85, gamma=1.0, horizon=3),
    "t-maze": t_maze(length=1, gamma=1.0, horizon=3),
}
M, BATCHES = 4, 500
ON_POLICY = {
    "reinforce": (logpi.RewardToGo(1.0), logpi.score),
    "reinforce, the others' mean": (logpi.RewardToGo(1.0) - logpi.LeaveOneOut(), logpi.score),
    "vpg, a2c, npg": (logpi.GAE(1.0, 1.0), logpi.score),
    "trpo": (logpi.GAE(1.0, 1.0), logpi.importance),
    "ppo": (logpi.GAE(1.0, 1.0), logpi.Clipped(0.2)),
    "ppo-kl": (logpi.GAE(1.0, 1.0), logpi.importance + (-0.5) * divergence),
    "off-policy": (logpi.GAE(1.0, 1.0), logpi.ImportanceWeighted(logpi.step_weights)),
}
OFF_POLICY = {
    "trajectory weights": (logpi.RewardToGo(1.0), logpi.ImportanceWeighted(logpi.trajectory_weights)),
    "per decision": (logpi.PerDecision(1.0), logpi.ImportanceWeighted(logpi.cumulative_weights)),
}


def networks(pomdp, core, key):
    """(policy, critic) with small cores, moved off their symmetric start."""
    k_policy, k_critic, k_move = jr.split(key, 3)
    seen, acted = spaces.Box(0, 1, (pomdp.observations,)), spaces.Discrete(pomdp.actions)
    core = core_factory(core, 4, 3)
    policy = recurrent_policy(seen, acted, core=core, hidden=(4,), key=k_policy)
    flat, unravel = ravel(policy)
    return unravel(flat + 0.5 * jr.normal(k_move, flat.shape)), recurrent_critic(
        seen, core=core, hidden=(4,), key=k_critic
    )


@eqx.filter_jit
def moments(cases, pomdp, mu, policy, critic, key, rounds):
    """(number of estimates, for each case their mean, their covariance): batches of M episodes played by μ."""
    environment = Vmap(PartiallyObserved(pomdp), BATCHES * M, pomdp.horizon)
    state = State(policy, critic, (), ())

    def play(carry, key):
        tau = device.rollout(environment, Behavior(mu), (), key, Episodes())[1]
        cut = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(x.shape[0], -1, M, *x.shape[2:]), 1, 0), tau)
        found = [jax.vmap(lambda part, c=c: ravel_pytree(gradient(*c, state, part))[0])(cut) for c in cases.values()]
        return [
            (total + g.sum(axis=0), square + g.T @ g) for (total, square), g in zip(carry, found, strict=True)
        ], None

    size = ravel(policy)[0].size
    start = [(jnp.zeros(size), jnp.zeros((size, size)))] * len(cases)
    sums = lax.scan(play, start, jr.split(key, rounds))[0]
    n = rounds * BATCHES
    return n, [(total / n, square / n - jnp.outer(total / n, total / n)) for total, square in sums]


def assert_unbiased(cases, pomdp, policy, critic, mu, rounds):
    """Within four standard errors of the exact gradient, with errors so small that 1.03 times the estimate is not."""
    exact = ravel_pytree(pomdp.gradient(policy))[0]
    n, found = moments(cases, pomdp, mu, policy, critic, jr.key(7), rounds)
    for name, (mean, covariance) in zip(cases, found, strict=True):
        error, z, _ = verdict(n, mean, covariance, exact)
        assert error <= 0.0075, f"{name}: the standard error is {error:.2%} of the gradient: more samples are needed"
        assert abs(z) <= 4, (name, z)
        error, z, _ = verdict(n, 1.03 * mean, 1.03**2 * covariance, exact)
        worse = verdict(n, 0.97 * mean, 0.97**2 * covariance, exact)[1]
        assert max(abs(z), abs(worse)) > 4, f"{name}: neither 1.03 nor 0.97 times the estimate fails"


def every_episode(pomdp):
    """(all episodes side by side, the probability of what the environment does in each)."""
    found = list(paths(pomdp))
    steps, columns = pomdp.horizon, len(found)
    seen, action = np.zeros((steps + 1, columns), int), np.zeros((steps, columns), np.int32)
    reward, length = np.zeros((steps, columns), np.float32), np.array([len(actions) for *_, actions, _ in found])
    for column, (_, _, observations, actions, rewards) in enumerate(found):
        seen[: len(observations), column], action[: len(actions), column] = observations, actions
        reward[: len(rewards), column] = rewards
    time = np.broadcast_to(np.arange(steps, dtype=np.int32)[:, None], reward.shape)
    eye = np.eye(pomdp.observations, dtype=np.float32)
    rows = {
        "obs": eye[seen[:-1]],
        "action": action,
        "log_prob": np.zeros_like(reward),
        "reward": reward,
        "next_obs": eye[seen[1:]],
        "time": time,
        "terminated": time == length - 1,
        "truncated": np.zeros(reward.shape, bool),
        "valid": time < length,
    }
    tau = Trajectory(**jax.tree.map(jnp.asarray, rows), complete=True)
    return tau, jnp.asarray([p for p, *_ in found], jnp.float32)


@pytest.mark.parametrize("core", EVERY)
@pytest.mark.parametrize("name", ["repeat-first"])
def test_the_expected_gradient_is_the_exact_one(name, core):
    """Every episode weighted by its probability: with V as the baseline and without, exact to rounding."""
    pomdp = PROBLEMS[name]
    policy, critic = networks(pomdp, core, jr.key(len(name)))
    state, (tau, chance) = State(policy, critic, (), ()), every_episode(pomdp)

    @eqx.filter_jit
    def expectations(state, tau):
        tau = prepare_trajectory(state, tau)
        pi = evaluate_policy(state.policy, tau)
        log_prob = jnp.where(tau.valid, pi.log_prob(tau.action), 0)
        tau = dataclasses.replace(tau, log_prob=log_prob)
        share = chance * jnp.exp(jnp.sum(log_prob, axis=0)) * chance.size
        theta, unravel = ravel(state.policy)

        def expected(credit, objective):
            batch = make_batch(credit, state, tau, pi)
            batch = dataclasses.replace(batch, credit=batch.credit * share[None])
            return jax.grad(lambda vector: objective.evaluate(unravel(vector), batch))(theta)

        return [expected(*ON_POLICY[name]) for name in ("reinforce", "vpg, a2c, npg", "trpo")]

    exact = ravel_pytree(pomdp.gradient(policy))[0]
    for found in expectations(state, tau):
        np.testing.assert_allclose(found, exact, atol=2e-6 + 1e-4 * float(jnp.linalg.norm(exact)))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "core"), mostly_slow(itertools.product(PROBLEMS, EVERY), [("repeat-first", "gru"), ("tiger", "mingru")])
)
def test_the_mean_gradient_of_every_method_is_the_exact_one(name, core):
    pomdp = PROBLEMS[name]
    policy, critic = networks(pomdp, core, jr.key(len(name)))
    assert_unbiased(ON_POLICY, pomdp, policy, critic, policy, rounds=400)


@pytest.mark.thorough
@pytest.mark.parametrize("core", mostly_slow(EVERY))
def test_weights_correct_for_another_policy_that_remembers(core):
    pomdp = PROBLEMS["repeat-first"]
    policy, critic = networks(pomdp, core, jr.key(1))
    mu, _ = networks(pomdp, core, jr.key(2))
    assert_unbiased(OFF_POLICY, pomdp, policy, critic, mu, rounds=1000)


@pytest.mark.thorough
@pytest.mark.parametrize("core", mostly_slow(EVERY))
def test_fisher_products_go_through_time(core):
    """F v of many episodes is that of the exact occupancy of histories, to 3 %."""
    pomdp = PROBLEMS["repeat-first"]
    policy, _ = networks(pomdp, core, jr.key(3))
    environment = Vmap(PartiallyObserved(pomdp), 20_000, pomdp.horizon)
    state = State(policy, None, (), ())

    @eqx.filter_jit
    def products(policy, way):
        tau = device.rollout(environment, Behavior(policy), (), jr.key(0), Episodes())[1]
        tau = prepare_trajectory(state, tau)
        batch = make_batch(logpi.RewardToGo(1.0), state, tau, evaluate_policy(policy, tau))
        theta, unravel = ravel(policy)
        return fisher_product(unravel, theta, batch)(way)

    way = jr.normal(jr.key(4), ravel(policy)[0].shape)
    exact = np.asarray(pomdp.fisher(policy) @ way)
    np.testing.assert_allclose(products(policy, way), exact, atol=0.03 * np.linalg.norm(exact))


def test_each_member_of_a_population_remembers_by_itself():
    """The mean return of each member is its exact utility, within four standard errors."""
    pomdp, members, episodes = PROBLEMS["tiger"], 4, 2000
    policy, _ = networks(pomdp, "gru", jr.key(5))
    flat, unravel = ravel(policy)
    thetas = flat[None] + jr.normal(jr.key(6), (members, flat.size))
    population = Behavior(_stacked(policy, thetas), per_environment=True)
    environment = Vmap(PartiallyObserved(pomdp), members, pomdp.horizon)
    tau = eqx.filter_jit(device.rollout)(environment, population, (), jr.key(8), Episodes(None, episodes))[1]
    returns = np.where(tau.valid, tau.reward, 0).sum(axis=0).reshape(episodes, members)
    exact = np.array([pomdp.utility(unravel(theta)) for theta in thetas])
    error = returns.std(axis=0) / episodes**0.5
    assert np.all(np.abs(returns.mean(axis=0) - exact) <= 4 * error), (returns.mean(axis=0), exact, error)
    assert np.ptp(exact) > 8 * error.max()  # members that shared a memory or a θ would be alike


def _stacked(policy, thetas):
    """The policy with the learned leaves of every member along a leading axis."""
    theta, rest = logpi.trainable(policy)
    unravel = ravel_pytree(theta)[1]
    return eqx.combine(jax.vmap(unravel)(thetas), rest)
