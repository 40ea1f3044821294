"""Episodes under way are brought back by what they were sent; environments that do not replay are told apart."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.rollout.episode_replay import (
    NOT_LOGGED,
    ActionLog,
    check_snapshot,
    replay,
    snapshot,
    snapshot_shard,
)

N, T = 3, 7
NOBODY = np.zeros(N, bool)


class Walk(gymnasium.Env):
    """A walk that its seed pushes around, ended after its own number of steps."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,))
    action_space = spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.left = self.np_random.normal(), int(self.np_random.integers(2, 12))
        return self.seen(), {}

    def seen(self):
        return np.array([self.place, self.left], np.float32)

    def step(self, action):
        self.place += action - 1 + self.np_random.normal()
        self.left -= 1
        return self.seen(), 0.0, self.left == 0, False, {}


class Forgetful(Walk):
    """One that draws on something its seed does not set."""

    calls = 0

    def step(self, action):
        Forgetful.calls += 1
        self.place += Forgetful.calls
        return super().step(action)


def walked(make, windows, seed=5):
    """An environment after some windows of random actions, and what was kept of them."""
    env, rng = Gymnasium(make, N), np.random.default_rng(0)
    obs, unfinished = env.reset(seed), ActionLog(np.zeros((T, N), int))
    for _ in range(windows):
        sent = rng.integers(3, size=(T, N))
        ended = np.zeros((T, N), bool)
        for t in range(T):
            step = env.step(sent[t], np.zeros(N, bool))
            obs, ended[t] = step.obs, step.terminated | step.truncated
        unfinished.add(sent, ended, NOBODY)
    return env, obs, snapshot(env.episode.copy(), obs, unfinished.logged())


@pytest.mark.parametrize("windows", [0, 1, 2, 5])
def test_environments_stand_where_they_stood_and_go_on_alike(windows):
    env, obs, kept = walked(Walk, windows)
    other = Gymnasium(Walk, N)
    again, lost = replay(other, 5, kept)
    assert not lost.any()
    np.testing.assert_array_equal(again, obs)
    np.testing.assert_array_equal(other.episode, env.episode)
    for action in np.random.default_rng(1).integers(3, size=(20, N)):
        for a, b in zip(env.step(action, np.zeros(N, bool)), other.step(action, np.zeros(N, bool)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_kept_spans_windows_and_forgets_what_ended():
    _, _, kept = walked(Walk, 5)
    assert (kept["length"] < 12).all() and len(kept["action"]) == kept["length"].sum()
    sent = np.arange(2 * N).reshape(2, N)
    unfinished = ActionLog(sent)
    unfinished.add(sent, np.zeros((2, N), bool), NOBODY)
    unfinished.add(sent + 10, np.array([[False, True, False], [False, False, True]]), NOBODY)
    kept = snapshot(np.zeros(N, int), np.zeros(N), unfinished.logged())
    np.testing.assert_array_equal(kept["length"], [4, 1, 0])
    np.testing.assert_array_equal(kept["action"], [0, 3, 10, 13, 14])


def test_what_was_handed_out_does_not_change():
    sent = np.ones((2, N), int)
    unfinished = ActionLog(sent)
    unfinished.add(sent, np.zeros((2, N), bool), NOBODY)
    pieces = unfinished.logged()
    sent[:] = 7
    unfinished.add(sent, np.zeros((2, N), bool), NOBODY)
    np.testing.assert_array_equal(snapshot(np.zeros(N), np.zeros(N), pieces)["action"], np.ones(2 * N))


def test_an_endless_episode_is_logged_up_to_its_longest_and_again_from_its_next_begin():
    sent = np.ones((2, N), int)
    log, never = ActionLog(sent, longest=4), np.zeros((2, N), bool)
    for _ in range(3):
        log.add(sent, never, np.array([False, False, False]))
    kept = snapshot(np.zeros(N, int), np.zeros(N), log.logged())
    np.testing.assert_array_equal(kept["length"], [NOT_LOGGED] * N)
    assert len(kept["action"]) == 0
    log.add(sent, np.array([[True, False, False], [False, False, False]]), np.array([False, True, False]))
    kept = snapshot(np.zeros(N, int), np.zeros(N), log.logged())
    np.testing.assert_array_equal(kept["length"], [1, 2, NOT_LOGGED])
    assert len(kept["action"]) == 3


def test_one_whose_actions_were_too_many_begins_its_next_episode():
    _, _, kept = walked(Walk, 3)
    first, last = kept["length"][0], kept["length"][0] + kept["length"][1]
    kept["action"] = np.concatenate([kept["action"][:first], kept["action"][last:]])
    kept["length"][1] = NOT_LOGGED
    check_snapshot(kept, kept, "here")
    env = Gymnasium(Walk, N)
    obs, lost = replay(env, 5, kept)
    np.testing.assert_array_equal(lost, [False, True, False])
    np.testing.assert_array_equal(obs[[0, 2]], kept["obs"][[0, 2]])
    np.testing.assert_array_equal(env.episode, kept["episode"] + [0, 1, 0])
    one = snapshot_shard(kept, slice(1, 3))
    np.testing.assert_array_equal(one["action"], kept["action"][first:])


def test_one_that_does_not_replay_is_told_apart_and_begins_its_next_episode():
    _, _, kept = walked(Walk, 3)
    kept["obs"][1, 0] += 1
    env = Gymnasium(Walk, N)
    obs, lost = replay(env, 5, kept)
    np.testing.assert_array_equal(lost, [False, True, False])
    np.testing.assert_array_equal(obs[[0, 2]], kept["obs"][[0, 2]])
    np.testing.assert_array_equal(env.episode, kept["episode"] + [0, 1, 0])
    fresh = Gymnasium(Walk, N)
    np.testing.assert_array_equal(obs[1], fresh.restart(5, kept["episode"] + 1)[1])


def test_an_environment_that_draws_on_something_else_is_lost():
    _, _, kept = walked(Forgetful, 3)
    _, lost = replay(Gymnasium(Forgetful, N), 5, kept)
    np.testing.assert_array_equal(lost, kept["length"] > 0)


def test_an_episode_that_ends_too_soon_is_lost():
    _, _, kept = walked(Walk, 3)
    kept["obs"] = Gymnasium(Walk, N).restart(5, kept["episode"] + 1)  # what would be shown after an end
    kept["length"] = np.full(N, 12)
    kept["action"] = np.zeros(12 * N, int)
    assert replay(Gymnasium(Walk, N), 5, kept)[1].all()


def test_going_on_keeps_what_was_brought_back():
    _, _, kept = walked(Walk, 3)
    lost = np.array([False, True, False])
    again = ActionLog(np.zeros((T, N), int), kept, lost)
    now = snapshot(kept["episode"], kept["obs"], again.logged())
    np.testing.assert_array_equal(now["length"], np.where(lost, 0, kept["length"]))
    ends = np.cumsum(kept["length"])
    np.testing.assert_array_equal(now["action"][: ends[0]], kept["action"][: ends[0]])
    np.testing.assert_array_equal(now["action"][ends[0] :], kept["action"][ends[1] :])
