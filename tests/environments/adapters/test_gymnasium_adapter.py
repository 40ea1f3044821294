"""Gymnasium environments, stepped one after the other."""

import gymnasium
import numpy as np
import pytest
from builders import VECTORS, Counting, Jitter
from gymnasium import spaces

from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.errors import LogpiError

NOBODY = np.zeros(3, bool)


class Constant(gymnasium.Env):
    """Always the same observation, of a dtype of one's choice."""

    def __init__(self, space, actions=VECTORS):
        self.observation_space, self.action_space = space, actions

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.high, {}

    def step(self, action):
        assert self.action_space.contains(action), action
        return self.observation_space.high, 0.0, False, False, {}


def starts(seed, num_envs, episodes=3):
    """The first observations of each environment's first episodes: [episodes, N, 2]."""
    env = Gymnasium(Jitter, num_envs, time_limit=1)
    act, nobody = np.zeros((num_envs, 2), np.float32), np.zeros(num_envs, bool)
    return np.stack([env.reset(seed), *(env.step(act, nobody).obs for _ in range(episodes - 1))])


def test_an_environment_does_not_depend_on_how_many_others_there_are():
    np.testing.assert_array_equal(starts(0, 2), starts(0, 5)[:, :2])


def test_all_environments_and_episodes_and_seeds_differ():
    """64 environments, 3 episodes, seeds 0 and 1: not one start twice, and the same seed the same starts."""
    zero, one = starts(0, 64), starts(1, 64)
    assert len(np.unique(np.concatenate([zero, one]).reshape(-1, 2), axis=0)) == 2 * 3 * 64
    np.testing.assert_array_equal(starts(0, 64), zero)


def test_the_last_observation_is_the_true_one_and_the_next_a_fresh_start():
    env = Gymnasium(Counting, 3)
    env.reset(0)
    steps = [env.step(np.zeros(3, np.int32), NOBODY) for _ in range(3)]
    assert [s.next_obs[0, 0] for s in steps] == [1, 2, 3]
    assert [s.obs[0, 0] for s in steps] == [1, 2, 100]


def test_both_flags_at_once_mean_termination():
    """Episode 0 ends terminated, 1 truncated, 2 both: terminated wins."""
    env = Gymnasium(Counting, 3)
    env.reset(0)
    steps = [env.step(np.zeros(3, np.int32), NOBODY) for _ in range(12)]
    assert [t for t, s in enumerate(steps) if s.terminated.all()] == [2, 11]
    assert [t for t, s in enumerate(steps) if s.truncated.all()] == [6]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_action_that_is_not_finite_is_never_sent(bad):
    copies = []
    env = Gymnasium(lambda: copies.append(Jitter()) or copies[-1], 3, "jitter")
    env.reset(0)
    action = np.zeros((3, 2), np.float32)
    action[1, 0] = bad
    with pytest.raises(LogpiError, match="environment 1 of jitter a non-finite action"):
        env.step(action, NOBODY)
    assert not any(copy.seen for copy in copies)


def lasting(*limits):
    """Environments that never end by themselves, with time limits of their own."""
    each = iter(limits)
    return lambda: gymnasium.wrappers.TimeLimit(Jitter(), next(each))


def ends(env, idle, steps):
    """When each copy's episodes are truncated, where `idle(t)` says who rests at t."""
    n = env.spec.num_envs
    env.reset(0)
    made = [env.step(np.zeros((n, 2), np.float32), np.array(idle(t))) for t in range(steps)]
    assert not any(s.terminated.any() for s in made)
    return [[t for t, s in enumerate(made) if s.truncated[i]] for i in range(n)]


def test_each_copy_keeps_the_time_limit_that_its_wrapper_had():
    """The shorter of that and the one that is asked for."""
    everyone = lambda t: [False] * 3
    assert ends(Gymnasium(lasting(2, 5, 3), 3), everyone, 8) == [[1, 3, 5, 7], [4], [2, 5]]
    assert ends(Gymnasium(lasting(2, 5, 3), 3, time_limit=4), everyone, 8) == [[1, 3, 5, 7], [3, 7], [2, 5]]


def test_the_time_of_an_idle_copy_stands_still():
    assert ends(Gymnasium(lasting(3, 3), 2), lambda t: [t in (1, 2), False], 6) == [[4], [2, 5]]


def test_an_environment_that_is_somebody_elses_keeps_its_wrappers():
    """They may be asked about afterwards: how many steps were taken, whether it was reset."""
    given = gymnasium.make("CartPole-v1")
    Gymnasium(None, 1, ready=given, time_limit=2).reset(0)
    given.step(0)
    assert ends(Gymnasium(None, 1, ready=gymnasium.wrappers.TimeLimit(Jitter(), 3)), lambda t: [False], 6) == [[2, 5]]


def test_an_idle_environment_stands_still():
    copies = []
    env = Gymnasium(lambda: copies.append(Jitter()) or copies[-1], 3)
    env.reset(0)
    step = env.step(np.zeros((3, 2), np.float32), np.array([False, True, False]))
    assert [len(copy.seen) for copy in copies] == [1, 0, 1]
    assert step.valid.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "actions",
    [VECTORS, spaces.Box(-3.0, 7.0, (1,), np.float64), spaces.Discrete(3, start=5)],
    ids=["float32", "float64", "discrete"],
)
def test_what_is_sent_lies_in_the_action_space(actions):
    """As the space's own dtype, within its bounds, whole numbers as whole numbers."""
    env = Gymnasium(lambda: Constant(VECTORS, actions), 3)
    env.reset(0)
    own = np.arange(3, dtype=np.int32) if isinstance(actions, spaces.Discrete) else np.full((3, *actions.shape), 50.0)
    assert env.step(own, NOBODY).valid.all()


@pytest.mark.parametrize(
    ("dtype", "kept"), [(np.float64, np.float32), (np.float32, np.float32), (np.uint8, np.uint8), (np.int64, np.int32)]
)
def test_observations_keep_their_dtype_but_for_64_bits(dtype, kept):
    env = Gymnasium(lambda: Constant(spaces.Box(0, 200, (2, 2), dtype)), 3)
    step = env.step(np.zeros((3, 2), np.float32), NOBODY) if env.reset(0).dtype == kept else None
    assert step.obs.dtype == step.next_obs.dtype == kept and step.obs.shape == (3, 2, 2)
    np.testing.assert_array_equal(step.obs, 200)


@pytest.mark.parametrize(
    ("own", "asked", "limit"), [(None, None, None), (None, 7, 7), (9, 7, 7), (5, 7, 5), (9, None, 9)]
)
def test_the_shorter_time_limit_holds(own, asked, limit):
    make = Jitter if own is None else lambda: gymnasium.wrappers.TimeLimit(Jitter(), own)
    env = Gymnasium(make, 3, time_limit=asked)
    assert env.spec.time_limit == limit
    env.reset(0)
    ends = [env.step(np.zeros((3, 2), np.float32), NOBODY).truncated.all() for _ in range(12)]
    assert ends.index(True) + 1 == limit if limit else not any(ends)


def test_closing_closes_every_copy():
    closed = []

    class Closing(Jitter):
        def close(self):
            closed.append(self)

    environment = Gymnasium(Closing, 3)
    environment.reset(0)
    environment.close()
    assert len(closed) == 3
