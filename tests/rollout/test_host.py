"""Rollouts of ordinary Python environments: the right rows in the right places, and nothing that is not finite."""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import Counting, Jitter, WalkOnHost, behavior, on_host, walks
from counting import DICT, TUPLE
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from logpi.core.collection import Episodes, Steps
from logpi.distributions.categorical import Categorical
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.policies.policy import mlp_policy
from logpi.rollout.host import HostRollout
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.noise import rollout_noise
from logpi.rollout.observations import StorePairs
from logpi.types import Frozen


class One(eqx.Module):
    """A policy of two actions that always takes the second."""

    def __call__(self, obs):
        return Categorical(jnp.array([-1e9, 0.0]))


def counting(mode, num_envs=3):
    """Counting environments, each one episode ahead of the last, by any adapter."""
    numbers = itertools.count()
    make = lambda: Counting(next(numbers) % num_envs)
    loop = Gymnasium(make, num_envs, "counting", 9)
    if mode == "loop":
        return loop
    env = GymnasiumVector(SyncVectorEnv([make] * num_envs, autoreset_mode=mode), "counting")
    env.spec = loop.spec
    return env


def collected(environment, collect, windows=1):
    """The buffers after one or more rollouts of always acting 1."""
    mu, obs = Behavior(One()), environment.reset(0)
    noise = jax.device_get(rollout_noise(mu, obs, jr.key(0), collect, environment.spec))
    rollout = HostRollout(environment, collect, mu, obs, noise)
    taken = [jax.tree.map(np.array, with_next_obs(rollout.collect(mu, noise, 0))) for _ in range(windows)]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *taken)


MODES = ["loop", *AutoresetMode]


@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_windows_hold_the_transitions_in_order(mode):
    """s′ = s + 1 in every valid row, rewards 10(t + 1) + 1, time within episodes, across three windows."""
    tau = collected(counting(mode), Steps(8), windows=3)
    valid, time = tau["valid"], tau["time"]
    assert valid.all() or mode is AutoresetMode.NEXT_STEP
    np.testing.assert_array_equal(tau["obs"][..., 0][valid] % 100, time[valid])
    np.testing.assert_array_equal(tau["next_obs"][valid], tau["obs"][valid] + 1)
    np.testing.assert_array_equal(tau["reward"][valid], 10 * (time[valid] + 1) + 1)
    episode = tau["obs"][..., 0] // 100
    ends = time + 1 == 3 + episode % 3
    np.testing.assert_array_equal((tau["terminated"] | tau["truncated"])[valid], ends[valid])
    np.testing.assert_array_equal(tau["truncated"][valid], (ends & (episode % 3 == 1))[valid])
    for i in range(3):
        mine = episode[valid[:, i], i]
        assert np.isin(np.diff(mine), [0, 1]).all() and mine[-1] - mine[0] >= 4


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
@pytest.mark.parametrize("per_environment", [1, 2])
def test_each_column_is_one_whole_episode(mode, per_environment):
    """Exactly k from each environment, episode e of environment i in column e·N + i, padded to the limit.

    So also in the second rollout, which leaves nothing of the first.
    """
    two = collected(counting(mode), Episodes(episodes_per_env=per_environment), windows=2)
    tau = {name: rows[9:] for name, rows in two.items()}
    assert tau["valid"].shape == (9, 3 * per_environment)
    episode = tau["obs"][0, :, 0] // 100
    one_after_another = episode.reshape(per_environment, 3) - episode[:3]
    np.testing.assert_array_equal(one_after_another, np.arange(per_environment)[:, None] * np.ones(3))
    lengths = 3 + episode % 3
    np.testing.assert_array_equal(tau["valid"], np.arange(9)[:, None] < lengths)
    last = np.arange(9)[:, None] == lengths - 1
    np.testing.assert_array_equal((tau["terminated"] | tau["truncated"])[tau["valid"]], last[tau["valid"]])
    np.testing.assert_array_equal(tau["time"][tau["valid"]], np.nonzero(tau["valid"])[0])


def test_whole_episodes_without_a_time_limit_are_refused():
    with pytest.raises(LogpiError, match=r"no time limit.*Episodes\(max_episode_steps=…\)"):
        collected(Gymnasium(Counting, 2, "counting"), Episodes())


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "gaussian"])
def test_the_first_ratio_is_one(key, continuous):
    """What NumPy sampled scores the same by the learner's policy, at the observations that were stored."""
    _, environment = walks(4, 12, continuous)
    mu = behavior(environment, key)
    tau = on_host(environment, mu, Steps(32), key)
    again = jax.vmap(jax.vmap(mu.policy))(tau.obs).log_prob(tau.action)
    assert jnp.max(jnp.abs(jnp.exp(again - tau.log_prob) - 1)) < 1e-4


def test_what_is_stored_is_what_was_sampled_and_what_is_sent_lies_within_bounds(key):
    copies = []
    environment = Gymnasium(lambda: copies.append(Jitter()) or copies[-1], 3, "jitter")
    spec = environment.spec
    mu = Behavior(mlp_policy(spec.observation_space, spec.action_space, initial_std=5.0, key=key))
    tau = on_host(environment, mu, Steps(32), key)
    sent = np.stack([copy.seen for copy in copies], axis=1)
    assert np.max(np.abs(tau.action)) > 5 and np.max(np.abs(sent)) == 1
    np.testing.assert_allclose(sent[-32:], np.clip(tau.action, -1, 1), atol=1e-6)


class Broken(WalkOnHost):
    """Answers one number that is not finite, at its fourth step, its last."""

    def __init__(self, field, bad):
        super().__init__()
        self._field, self._bad, self._steps = field, bad, 0

    def step(self, action):
        obs, reward, *rest = super().step(action)
        self._steps += 1
        if self._steps == 4:
            obs, reward = (obs, self._bad) if self._field == "reward" else (obs * np.float32(self._bad), reward)
        return obs, reward, *rest


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["reward", "next_obs"])
def test_an_answer_that_is_not_finite_names_environment_field_and_step(field, bad):
    made = []

    def make():
        made.append(Broken(field, bad) if len(made) == 1 else WalkOnHost())
        return made[-1]

    with pytest.raises(LogpiError, match=f"environment 1 of walk answered a non-finite {field} at step 3"):
        collected(Gymnasium(make, 3, "walk"), Steps(6))


def test_a_policy_whose_parameters_are_not_finite_sends_nothing():
    """With finitely many actions a NaN would still choose one: the first."""

    class Never(WalkOnHost):
        def step(self, action):
            raise AssertionError("an action was sent")

    environment = Gymnasium(Never, 2, "walk")
    spec, obs = environment.spec, environment.reset(0)
    good = mlp_policy(spec.observation_space, spec.action_space, hidden=(), key=jr.key(0))
    noise = jax.device_get(rollout_noise(Behavior(good), obs, jr.key(0), Steps(3), spec))
    rollout = HostRollout(environment, Steps(3), Behavior(good), obs, noise)
    bad = jax.tree.map(lambda x: x * jnp.nan if eqx.is_inexact_array(x) else x, good)
    with pytest.raises(LogpiError, match="parameters are not finite"):
        rollout.collect(Behavior(bad), noise, 0)


class Blurred(eqx.Module):
    """A policy that sees everything through the same noise."""

    policy: Any
    key: Any

    def __call__(self, obs):
        return self.policy(obs + 0.1 * jr.normal(self.key, obs.shape))


class Capped(eqx.Module):
    """A policy that sees nothing above a bound."""

    policy: Any
    most: Frozen

    def __call__(self, obs):
        return self.policy(jnp.minimum(obs, self.most.value))


@pytest.mark.filterwarnings("ignore:the policy uses")
def test_a_policy_may_carry_a_random_key():
    """It acts by a jitted call, and its key is no number that could be finite or not."""
    environment = Gymnasium(WalkOnHost, 2, "walk")
    spec, obs = environment.spec, environment.reset(0)
    mu = Behavior(Blurred(mlp_policy(spec.observation_space, spec.action_space, key=jr.key(0)), jr.key(1)))
    noise = jax.device_get(rollout_noise(mu, obs, jr.key(0), Steps(3), spec))
    rollout = HostRollout(environment, Steps(3), mu, obs, noise)
    assert rollout.program is None and rollout.collect(mu, noise, 0)["valid"].all()


def test_what_is_not_learned_may_be_infinite():
    """A bound that is carried along, say: parameters must be finite, nothing else."""
    environment = Gymnasium(WalkOnHost, 2, "walk")
    spec, obs = environment.spec, environment.reset(0)
    inner = mlp_policy(spec.observation_space, spec.action_space, key=jr.key(0))
    mu = Behavior(Capped(inner, Frozen(jnp.array(jnp.inf))))
    noise = jax.device_get(rollout_noise(mu, obs, jr.key(0), Steps(3), spec))
    assert HostRollout(environment, Steps(3), mu, obs, noise).collect(mu, noise, 0)["valid"].all()


class LateIndex(Counting):
    """One index is outside its space, at the third step of one copy."""

    def _obs(self):
        seen = super()._obs()
        if self._t == 3:
            seen["place"] = np.int64(3)
        return seen


class LateIndices(Counting):
    """One of two indices is outside its range, at the third step of one copy."""

    def _obs(self):
        seen = super()._obs()
        return (*seen[:2], np.array([1, 5])) if self._t == 3 else seen


@pytest.mark.parametrize("collect", [Steps(6), Episodes()], ids=str)
def test_indices_outside_their_space_are_named_once_a_rollout(collect, key):
    """Indices 1 … 4 and −5 … 4: a range of arrays is compared in the buffers, not in the step."""
    made = []
    make = lambda: made.append((LateIndices if len(made) == 1 else Counting)(space=TUPLE)) or made[-1]
    environment = Gymnasium(make, 3, "late", 9)
    mu, obs = Behavior(One()), environment.reset(0)
    noise = jax.device_get(rollout_noise(mu, obs, key, collect, environment.spec))
    line = (
        r"environment 1 of late answered next_obs\[2\] outside .* at step 2 of an episode: .*5.*; allowed: \[ ?1 -5\] …"
    )
    with pytest.raises(LogpiError, match=line):
        HostRollout(environment, collect, mu, obs, noise).collect(mu, noise, 0)


@pytest.mark.parametrize(("collect", "store"), [(Steps(6), None), (Episodes(), None), (Steps(6), StorePairs)], ids=str)
def test_an_index_outside_its_space_is_named(collect, store, key):
    """In the step that answers it: an encoder would make it a vector of zeros."""
    made = []
    make = lambda: made.append((LateIndex if len(made) == 1 else Counting)(space=DICT)) or made[-1]
    environment = Gymnasium(make, 3, "late", 9)
    mu, obs = Behavior(One()), environment.reset(0)
    noise = jax.device_get(rollout_noise(mu, obs, key, collect, environment.spec))
    rollout = HostRollout(environment, collect, mu, obs, noise, store)
    line = r"environment 1 of late answered step with .* \['place'\]: 3 is outside Discrete\(4, start=-1\)"
    with pytest.raises(LogpiError, match=line):
        rollout.collect(mu, noise, 0)
