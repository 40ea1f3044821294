"""The last batches, learned from side by side."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from builders import Walk, bits, close, on_device, stirred

from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.algorithms.replay import Replay
from logpi.core.collection import Episodes, Steps
from logpi.core.schedules import LinearSchedule
from logpi.core.trees import scan
from logpi.credit.per_decision import PerDecision
from logpi.credit.vtrace import VTrace
from logpi.environments.vmap import Vmap
from logpi.loop.iteration import init_carry, run_iteration
from logpi.objectives.importance_weighted import ImportanceWeighted
from logpi.objectives.score import score
from logpi.objectives.weights import SelfNormalized, cumulative_weights
from logpi.policies.critic import mlp_critic
from logpi.policies.policy import mlp_policy
from logpi.updates.ascent import Ascent

ENVIRONMENT = Vmap(Walk(), 4, 12)
SPEC = ENVIRONMENT.spec
INNER = PolicyGradient(VTrace(0.9), score, Ascent(optax.sgd, 0.1), fit=Ascent(optax.sgd, 0.1), collect=Steps(6))


@pytest.fixture
def networks(key):
    policy = stirred(mlp_policy(SPEC.observation_space, SPEC.action_space, hidden=(4,), key=key), key, 0.1)
    return policy, stirred(mlp_critic(SPEC.observation_space, hidden=(4,), key=key), key)


@eqx.filter_jit
def learned(algorithm, state, mu, tau, key):
    """(state', figures)."""
    return algorithm.learn(state, mu, tau, key)


def replay(policy, batches, inner=INNER):
    return Replay(inner, Replay.allocate(batches, inner.collect, SPEC, policy))


def batches(policy, count):
    """So many batches, each of a policy of its own."""
    from logpi.policies.behavior import Behavior

    return [
        on_device(ENVIRONMENT, Behavior(stirred(policy, jr.key(i), 0.2)), INNER.collect, jr.key(i))
        for i in range(count)
    ]


def test_schedules_are_those_of_the_algorithm(networks):
    falling = PolicyGradient(VTrace(0.9), score, Ascent(optax.sgd, LinearSchedule(0.4, 0.0)), collect=Steps(6))
    at = replay(networks[0], 2, falling).at(0.75)
    np.testing.assert_allclose(at.algorithm.update.learning_rate, 0.1, rtol=1e-6)


def test_of_whole_episodes_there_is_room_for_each(networks):
    """Three batches of two episodes in each of four environments, of at most 12 steps."""
    assert Replay.allocate(3, Episodes(episodes_per_env=2), SPEC, networks[0]).reward.shape == (12, 24)
    assert Replay.allocate(3, Steps(6), SPEC, networks[0]).reward.shape == (6, 12)


def test_it_learns_from_the_last_k_side_by_side_and_from_no_other(networks, key):
    """After three batches with K = 2, the third step is the algorithm's own on batches three and two."""
    policy, critic = networks
    algorithm, taus = replay(policy, 2), batches(policy, 3)
    learn = lambda state, tau: learned(algorithm, state, algorithm.behavior(state, key), tau, key)[0]
    state = algorithm.init(policy, critic)
    for tau in taus[:2]:
        state = learn(state, tau)
    both = jax.tree.map(lambda *x: jnp.concatenate(x, axis=1), taus[2], taus[1])
    start = eqx.tree_at(lambda s: s.opt, state, state.opt[0])
    want = learned(INNER, start, INNER.behavior(start, key), both, key)[0]
    got = learn(state, taus[2])
    close((got.policy, got.critic), (want.policy, want.critic), rtol=1e-6, atol=1e-8)


def test_what_is_not_there_yet_counts_for_nothing(networks, key):
    """The first batch with K = 3 is learned from as if there were no memory."""
    policy, critic = networks
    algorithm, tau = replay(policy, 3), batches(policy, 1)[0]
    state = algorithm.init(policy, critic)
    got, info = learned(algorithm, state, algorithm.behavior(state, key), tau, key)
    want, alone = learned(INNER, INNER.init(policy, critic), algorithm.behavior(state, key), tau, key)
    close((got.policy, got.critic), (want.policy, want.critic), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(info["effective_sample_size"], alone["effective_sample_size"], rtol=1e-5)


def test_a_memory_of_one_is_none(networks, key):
    policy, critic = networks
    algorithm, taus = replay(policy, 1), batches(policy, 2)
    state, plain = algorithm.init(policy, critic), INNER.init(policy, critic)
    for tau in taus:
        mu = algorithm.behavior(state, key)
        state = learned(algorithm, state, mu, tau, key)[0]
        plain = learned(INNER, plain, mu, tau, key)[0]
    close((state.policy, state.critic), (plain.policy, plain.critic), rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_it_goes_round_the_loop_on_whole_episodes_too(networks, key):
    """Shapes stay what they are from one iteration to the next: one program for all of them."""
    policy, _ = networks
    weights = ImportanceWeighted(SelfNormalized(cumulative_weights))
    inner = PolicyGradient(PerDecision(1.0), weights, Ascent(optax.adam, 0.01), collect=Episodes())
    algorithm = replay(policy, 3, inner)
    carry = init_carry(algorithm, ENVIRONMENT, policy, None, key)
    rounds = eqx.filter_jit(
        lambda carry: scan(lambda c, p: run_iteration(algorithm, ENVIRONMENT, c, p), carry, jnp.zeros(4))
    )
    carry, info = rounds(carry)
    rows = info["steps"]
    assert bits(carry.state.policy) != bits(policy) and bool(jnp.isfinite(info["gradient_norm"]).all())
    valid = carry.state.opt[1].valid.reshape(12, 3, 4).sum(axis=(0, 2))
    np.testing.assert_array_equal(valid, rows[::-1][:3])
