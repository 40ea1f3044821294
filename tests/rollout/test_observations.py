"""However observations are kept, they are the same: what was acted on, and what truly followed."""

import dataclasses
import itertools

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from counting import DICT, TUPLE, Counting, shown
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import logpi
from logpi.core.collection import Episodes, Steps
from logpi.core.numpy_trees import tree_map
from logpi.distributions.categorical import Categorical
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.rollout.host import HostRollout
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.noise import rollout_noise
from logpi.rollout.observations import StoreNothing, StorePairs, StoreSequence, StoreSequenceAndFinals, choose_store

N = 3
MODES = ["loop", *AutoresetMode]
FRAMES = spaces.Box(0, 255, (12, 12, 4), np.uint8)


class Either(eqx.Module):
    """A policy of two actions that looks at nothing."""

    def __call__(self, obs):
        return Categorical(jnp.zeros(2))


def environment(mode, space=DICT, num_envs=N):
    """Each one episode ahead of the last, so that they do not end together."""
    numbers = itertools.count()
    make = lambda: Counting(next(numbers) % num_envs, space)
    if mode == "loop":
        return Gymnasium(make, num_envs, "counting", 9)
    env = GymnasiumVector(SyncVectorEnv([make] * num_envs, autoreset_mode=mode), "counting")
    env.spec = dataclasses.replace(env.spec, time_limit=9)
    return env


def rollout(env, collect, keep=None):
    """(how to collect once more, the rollout)"""
    mu, obs = Behavior(Either()), env.reset(0)
    noise = jax.device_get(rollout_noise(mu, obs, jr.key(0), collect, env.spec))
    rolls = HostRollout(env, collect, mu, obs, noise, keep)
    return lambda: rolls.collect(mu, noise, 0), rolls


def same_valid_rows(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    np.testing.assert_array_equal(one["valid"], other["valid"])
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(np.asarray(a)[one["valid"]], np.asarray(b)[one["valid"]])


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("where", [np.where, jnp.where], ids=["numpy", "jax"])
@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_windows_kept_once_are_those_kept_twice(mode, where):
    """Four windows of 7 steps: ends on the last row of one, more ends than there is room for at first."""
    twice, _ = rollout(environment(mode), Steps(7), StorePairs)
    once, rolls = rollout(environment(mode), Steps(7))
    at_the_edge, most = False, 0
    for _ in range(4):
        want, got = twice(), with_next_obs(once(), where)
        same_valid_rows(got, want)
        done = (want["terminated"] | want["truncated"]) & want["valid"]
        at_the_edge |= bool(done[-1].any())
        most = max(most, done.sum())
    assert at_the_edge and most > N
    assert rolls.final_capacity == (N if mode is AutoresetMode.NEXT_STEP else 2 * N)


@pytest.mark.parametrize("space", [DICT, FRAMES], ids=["dict", "frames"])
@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_whole_episodes_kept_once_are_those_kept_twice(mode, space):
    """Twice, so that nothing of the first is left in the second; two episodes from each environment."""
    collect = Episodes(episodes_per_env=2)
    twice, _ = rollout(environment(mode, space), collect, StorePairs)
    once, _ = rollout(environment(mode, space), collect)
    for _ in range(2):
        same_valid_rows(with_next_obs(once()), twice())


def test_frames_are_bytes_and_take_the_memory_of_one_copy():
    """T · N · H · W · C bytes, to 5 %, the true last frames included."""
    once, rolls = rollout(environment("loop", FRAMES, 8), Steps(128))
    fields = rolls.buffers
    assert fields["obs"].dtype == fields["final"].dtype == np.uint8
    size = fields["obs"].nbytes + fields["final"].nbytes
    assert abs(size / (128 * 8 * 12 * 12 * 4) - 1) < 0.05
    assert with_next_obs(once())["next_obs"].dtype == np.uint8


def test_what_is_kept_how_follows_from_its_dtype():
    rows = lambda space: tree_map(lambda x: np.asarray(x)[None], shown(space, 1))
    assert (
        choose_store(rows(DICT), Steps(4)) is StoreSequenceAndFinals
        and choose_store(rows(DICT), Episodes()) is StoreSequence
    )
    assert choose_store(rows(TUPLE), Steps(4)) is choose_store(rows(TUPLE), Episodes()) is StorePairs


def test_rewards_alone_are_those_of_everything():
    collect = Episodes(episodes_per_env=2)
    full, alone = rollout(environment("loop"), collect)[0](), rollout(environment("loop"), collect, StoreNothing)[0]()
    for name in ("reward", "valid", "terminated", "truncated", "time"):
        np.testing.assert_array_equal(alone[name], full[name])
    assert set(full) - set(alone) == {"obs"}


class Torn(Counting):
    """One leaf of one observation is not a number, at the third step."""

    def _obs(self):
        seen = super()._obs()
        if self._t == 3:
            seen["inner"]["number"] = np.full(1, np.inf)
        return seen


@pytest.mark.parametrize("collect", [Steps(6), Episodes()], ids=str)
@pytest.mark.parametrize("keep", [None, StorePairs, StoreNothing])
def test_one_leaf_that_is_not_finite_is_named(collect, keep):
    """So it is of a Dict with pictures in it, however it is kept."""
    made = []

    def make():
        made.append((Torn if len(made) == 1 else Counting)(space=DICT))
        return made[-1]

    collecting, _ = rollout(Gymnasium(make, N, "torn", 9), collect, keep)
    field = r"next_obs" if keep is StoreNothing else r"next_obs\['inner'\]\['number'\]"
    with pytest.raises(LogpiError, match=f"environment 1 of torn answered a non-finite {field} at step 2"):
        collecting()


class Crowded(gymnasium.Env):
    """Pictures; an episode of iteration-long length at first, then of one step: more and more ends."""

    observation_space, action_space = spaces.Box(0, 255, (2, 2), np.uint8), spaces.Discrete(2)

    def __init__(self):
        self._steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.full((2, 2), self._steps % 250, np.uint8), {}

    def step(self, action):
        self._steps += 1
        return np.full((2, 2), 255, np.uint8), 1.0, False, self._steps > 16, {}


@pytest.mark.slow
def test_training_goes_on_where_ends_become_many(tmp_path):
    """The learner is compiled anew for more room, and goes on."""
    algorithm = logpi.a2c(num_envs=2, num_steps=16, hidden=(4,))
    run = logpi.train(lambda: Crowded(), algorithm, steps=96, evaluations=0, out=tmp_path)
    assert [row["episodes"] for row in run.metrics] == [0, 32, 64]


def test_pictures_are_evaluated():
    """Environment i plays episodes i + 1 and i + 2 (the first showed the shapes), of 3 + e mod 3 steps.

    The rewards are 10, 20, … and the action 0.
    """
    evaluation = logpi.evaluate(Either(), environment("loop"), episodes=2 * N)
    assert evaluation.lengths.tolist() == [4, 5, 3, 5, 3, 4]
    np.testing.assert_array_equal(evaluation.returns, [100, 150, 60, 150, 60, 100])
