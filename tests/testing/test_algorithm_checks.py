"""The algorithm contract: logpi's own algorithms keep it, and each violation is named with its remedy."""

import itertools
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import logpi
from logpi.algorithms.protocol import Algorithm, AlgorithmWrapper
from logpi.errors import LogpiError
from logpi.testing import check_algorithm

STEPS, EPISODES = logpi.Steps(8), logpi.Episodes(8)
ENV = logpi.make("logpi:CartPole-v1", 8, 8)
POLICY = logpi.mlp_policy(ENV.spec.observation_space, ENV.spec.action_space, hidden=(4,), key=jr.key(0))
ascent = logpi.Ascent(logpi.adam, logpi.LinearSchedule(1e-2, 0.0))
reinforce = logpi.PolicyGradient(logpi.RewardToGo(0.99), logpi.score, ascent, collect=EPISODES)
joint = logpi.PolicyGradient(logpi.GAE(0.99, 0.95), logpi.score, ascent, fit="joint", collect=STEPS)
action_critic = logpi.PolicyGradient(
    logpi.ActionValue(0.99, 0.95), logpi.score, ascent, fit=ascent, critic_objective=logpi.action_value, collect=STEPS
)
evolution = logpi.ZerothOrder(  # twelve directions, four per iteration: the estimate takes three iterations
    logpi.EvolutionStrategies(0.1, num_directions=12), ascent, population=8, collect=logpi.Episodes(16, group=2)
)
ALGORITHMS = {
    "policy gradient": reinforce,
    "joint critic": joint,
    "action critic": action_critic,
    "population": evolution,
    "meter": logpi.GradientNoiseMeter(reinforce, groups=2),
    "expert": logpi.ActsAsExpert(POLICY, joint),
    "replay": logpi.Replay(reinforce, logpi.Replay.allocate(2, EPISODES, ENV.spec, POLICY)),
}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
def test_every_algorithm_keeps_the_contract(algorithm):
    assert isinstance(algorithm, Algorithm)
    check_algorithm(algorithm)


@pytest.mark.parametrize(
    ("algorithm", "num_envs", "kind", "separate"),
    [
        (reinforce, None, None, False),
        (joint, None, "state", False),
        (action_critic, None, "action", True),
        (evolution, 8, None, False),
        (logpi.ActsAsExpert(POLICY, evolution), 8, None, False),
        (logpi.GradientNoiseMeter(action_critic), None, "action", False),
    ],
)
def test_an_algorithm_says_what_it_needs(algorithm, num_envs, kind, separate):
    assert (algorithm.num_envs_required, algorithm.critic_kind) == (num_envs, kind)
    assert algorithm.learns_separately is separate


def test_a_wrapper_resolves_the_schedules_of_the_algorithm_inside():
    wrapped = ALGORITHMS["meter"].at(0.5)
    assert isinstance(wrapped, logpi.GradientNoiseMeter) and wrapped.groups == 2
    assert wrapped.algorithm.update.learning_rate == pytest.approx(0.5e-2)


def faulty(**members):
    """REINFORCE with some of its members replaced."""
    body = {"__annotations__": {"algorithm": logpi.PolicyGradient}, "__module__": __name__} | members
    return type(AlgorithmWrapper)("Faulty", (AlgorithmWrapper,), body)(reinforce)


def learning(change):
    """REINFORCE whose `learn` returns `change(state', info, τ)` instead of (state', info)."""

    def learn(self, state, mu, tau, key):
        return change(*self.algorithm.learn(state, mu, tau, key), tau)

    return faulty(learn=learn)


def draws():
    """A behavior that draws from a counter outside."""
    count = itertools.count()
    draw = lambda: jax.pure_callback(lambda: np.float32(next(count)), jax.ShapeDtypeStruct((), jnp.float32))
    return faulty(behavior=lambda self, state, key: logpi.Behavior(shifted(state.policy, draw())))


def shifted(policy, number):
    return jax.tree.map(lambda x: x + number if eqx.is_inexact_array(x) else x, policy)


FAULTS = {
    r"collect is 8: use logpi\.Steps": faulty(collect=8),
    "critic_kind is 'Q': answer None, 'state' or 'action'": faulty(critic_kind="Q"),
    "num_envs_required is 0: answer None or a whole number": faulty(num_envs_required=0),
    "init returns tuple: return logpi.State": faulty(init=lambda self, policy, critic: (policy, critic)),
    r"at\(0.5\) leaves \[LinearSchedule.*\]: resolve every part": faulty(at=lambda self, progress: self),
    "at fails under jit .*: let no Python branch": faulty(
        at=lambda self, progress: replace(self, algorithm=self.algorithm.at(progress if progress > 0 else 0.0))
    ),
    "behavior returns Policy: return logpi.Behavior": faulty(behavior=lambda self, state, key: state.policy),
    "the same key gives another behavior: draw all randomness from the key": draws(),
    r"learn does not answer \(state, info\)": learning(lambda state, info, tau: state),
    "learn's state.* was expected: keep structure": learning(lambda state, info, tau: (replace(state, opt=()), info)),
    "info is not a dict with names as keys": learning(lambda state, info, tau: (state, list(info))),
    r"info\['reward'\] has shape \(8, 8\)": learning(lambda state, info, tau: (state, {"reward": tau.reward})),
    r"info\['norm'\] is infinite": learning(lambda state, info, tau: (state, {"norm": jnp.float32(jnp.inf)})),
    "rows that are not valid change what is learned: mask them": learning(
        lambda state, info, tau: (replace(state, policy=shifted(state.policy, jnp.sum(tau.reward))), info)
    ),
}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(("message", "algorithm"), FAULTS.items(), ids=FAULTS)
def test_each_violation_is_named(message, algorithm):
    with pytest.raises(LogpiError, match=message):
        check_algorithm(algorithm)


def test_missing_members_are_named():
    class Missing:
        collect = STEPS
        init = at = behavior = learn = print

    with pytest.raises(LogpiError, match="Missing has no num_envs_required, critic_kind, learns_separately: add the"):
        check_algorithm(Missing())
