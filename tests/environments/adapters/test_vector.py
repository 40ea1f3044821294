"""Vector environments reset in three ways; all give the transitions that a loop by hand gives."""

from itertools import pairwise

import numpy as np
import pytest
from builders import Counting, Jitter
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.errors import LogpiError

N, TRANSITIONS = 3, 40
MODES = list(AutoresetMode)


def vector(make, mode, num_envs=N):
    return GymnasiumVector(SyncVectorEnv([make] * num_envs, autoreset_mode=mode), "vector")


def choose(obs):
    """Some action for each observation, the same whoever asks."""
    return int(obs[0] % 7 % 2)


def by_hand():
    """(s, a, r, s′, terminated, truncated) of one environment, reset after every end."""
    env = Counting()
    obs, _ = env.reset()
    for _ in range(TRANSITIONS):
        action = choose(obs)
        following, reward, terminated, truncated, _ = env.step(action)
        yield obs[0], action, reward, following[0], terminated, truncated and not terminated
        obs = env.reset()[0] if terminated or truncated else following


def collected(environment):
    """The same of each environment of an adapter, rows that are not valid left out."""
    found, obs = [[] for _ in range(N)], environment.reset(0)
    while len(found[0]) < TRANSITIONS:
        action = np.array([choose(o) for o in obs], np.int32)
        step = environment.step(action, np.zeros(N, bool))
        for i in np.flatnonzero(step.valid):
            row = obs[i, 0], action[i], step.reward[i], step.next_obs[i, 0], step.terminated[i], step.truncated[i]
            found[i].append(row)
        obs = step.obs
    return found


@pytest.mark.parametrize("mode", ["loop", *MODES], ids=lambda m: getattr(m, "name", m))
def test_transitions_are_those_of_a_loop_by_hand(mode):
    environment = Gymnasium(Counting, N) if mode == "loop" else vector(Counting, mode)
    truth = list(by_hand())
    assert {row[4:] for row in truth} == {(False, False), (True, False), (False, True)}
    assert collected(environment) == [truth] * N


@pytest.mark.parametrize("mode", MODES, ids=lambda m: m.name)
def test_only_the_step_after_an_end_under_next_step_is_no_transition(mode):
    environment, rows = vector(Counting, mode), []
    environment.reset(0)
    for _ in range(12):
        rows.append(environment.step(np.zeros(N, np.int32), np.zeros(N, bool)))
    for before, after in pairwise(rows):
        dummy = (before.terminated | before.truncated) & (mode is AutoresetMode.NEXT_STEP)
        np.testing.assert_array_equal(after.valid, ~dummy)


@pytest.mark.parametrize("mode", MODES, ids=lambda m: m.name)
def test_a_reset_forgets_how_things_stood(mode):
    """Reset in the middle of an autoreset: the first row afterwards counts."""
    environment = vector(Counting, mode)
    environment.reset(0)
    act = lambda: environment.step(np.zeros(N, np.int32), np.zeros(N, bool))
    assert [act().terminated.all() for _ in range(3)] == [False, False, True]
    first = environment.reset(0)
    assert act().valid.all() and (first % 100 == 0).all()


@pytest.mark.parametrize("mode", MODES, ids=lambda m: m.name)
def test_all_environments_and_seeds_start_differently(mode):
    zero, one = (vector(Jitter, mode, 64).reset(seed) for seed in (0, 1))
    assert len(np.unique(np.concatenate([zero, one]), axis=0)) == 128
    np.testing.assert_array_equal(vector(Jitter, mode, 64).reset(0), zero)


def test_observations_of_64_bits_are_kept_in_32():
    environment = vector(Jitter, AutoresetMode.SAME_STEP)
    assert environment.reset(0).dtype == np.float32
    step = environment.step(np.zeros((N, 2), np.float32), np.zeros(N, bool))
    assert step.obs.dtype == step.next_obs.dtype == step.reward.dtype == np.float32


def test_an_action_that_is_not_finite_is_never_sent():
    inner = SyncVectorEnv([Jitter] * N)
    environment = GymnasiumVector(inner, "vector")
    environment.reset(0)
    with pytest.raises(LogpiError, match="environment 2 of vector a non-finite action"):
        environment.step(np.array([[0, 0], [1, 1], [0, np.nan]], np.float32), np.zeros(N, bool))
    assert not any(env.seen for env in inner.envs)


@pytest.mark.parametrize("metadata", [{}, {"autoreset_mode": None}, {"autoreset_mode": "somehow"}], ids=str)
def test_one_that_does_not_say_how_it_resets_is_refused(metadata):
    class Silent(VectorEnv):
        num_envs = N
        single_observation_space, single_action_space = Counting.observation_space, Counting.action_space

    env = Silent()
    env.metadata = metadata
    with pytest.raises(LogpiError, match=r"autoreset_mode.*NEXT_STEP.*SAME_STEP.*DISABLED"):
        GymnasiumVector(env, "silent")
