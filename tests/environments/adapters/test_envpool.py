"""Pools that step at once: their hazards end here, on a likeness of EnvPool and, where it is installed, on EnvPool."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import logpi
from logpi.environments.adapters.envpool import EnvPool
from logpi.environments.adapters.envpool import make as make_pool
from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.testing import check_environment

N, NOBODY = 4, np.zeros(4, bool)


class Pool:
    """Gymnasium's own task behind the face of a pool: seeded when it is made, and ended for good by a wrong batch."""

    made = ()

    def __init__(self, task, seeds):
        self.inner = SyncVectorEnv([lambda: gymnasium.make(task)] * len(seeds), autoreset_mode=AutoresetMode.NEXT_STEP)
        self.seeds, self.taken, self.closed = seeds, [], False
        Pool.made += (self,)

    def reset(self):
        obs, info = self.inner.reset(seed=self.seeds)
        return obs.astype(np.float64), info

    def step(self, action):
        space, kind = self.inner.single_action_space, self.inner.action_space.dtype
        if self.closed or action.shape != (len(self.seeds), *space.shape) or action.dtype != kind:
            raise SystemExit("Fatal Python error: Aborted")
        self.taken.append(action)
        obs, *answers = self.inner.step(action)
        return obs.astype(np.float64), *answers

    def close(self):
        self.closed = True


@pytest.fixture
def pools():
    """The pools made in a test, in order."""
    Pool.made = ()
    return lambda: list(Pool.made)


def likeness(task, num_envs=N):
    one = gymnasium.make(task)
    spec = Spec(f"like:{task}", num_envs, one.observation_space, one.action_space, one.spec.max_episode_steps)
    return EnvPool(lambda seeds: Pool(task, seeds), spec)


def choices(*values, dtype=np.int32):
    return np.array(values, dtype)


@pytest.mark.parametrize("task", ["CartPole-v1", "Pendulum-v1"])
def test_a_pool_keeps_the_contract_of_environments(task):
    check_environment(lambda num_envs: likeness(task, num_envs), steps=210)


def to_the_left(environment, steps=60):
    """Each step of pushing to the left and nothing else."""
    environment.reset(3)
    n = environment.spec.num_envs
    for _ in range(steps):
        yield environment.step(np.zeros(n, np.int32), np.zeros(n, bool))


def check_ends(environment):
    """CartPole's: the last observation is out of bounds, the row after it none, the next one begins afresh."""
    ended, count = np.zeros(N, bool), 0
    for step in to_the_left(environment):
        np.testing.assert_array_equal(step.valid, ~ended)
        assert step.next_obs.dtype == np.float32 and not step.truncated.any()
        fallen = np.abs(step.next_obs[:, 2]) > 12 * np.pi / 180
        np.testing.assert_array_equal(step.terminated, fallen & step.valid)
        assert (np.abs(step.obs[ended]) < 0.05).all() and (step.reward[step.valid] == 1).all()
        ended, count = step.terminated, count + step.terminated.sum()
    assert count > N


def test_the_step_after_an_end_is_no_transition():
    check_ends(likeness("CartPole-v1"))


def test_every_seed_has_a_pool_of_its_own_and_the_one_before_is_closed(pools):
    environment = likeness("CartPole-v1")
    first = [environment.reset(seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(first[0], first[1])
    assert [pool.closed for pool in pools()] == [True, True, False]
    seeds = [tuple(pool.seeds) for pool in pools()]
    assert seeds[0] == seeds[1] and len({*seeds[0], *seeds[2]}) == 2 * N
    assert all(0 <= seed < 2**31 for seed in seeds[0])
    environment.close()
    assert pools()[-1].closed


def test_neighbors_in_groups_are_seeded_alike(pools):
    obs = likeness("CartPole-v1").reset(0, group=2)
    a, b = sorted(set(pools()[0].seeds), key=pools()[0].seeds.index)
    assert pools()[0].seeds == [a, a, b, b]
    np.testing.assert_array_equal(obs[::2], obs[1::2])


def test_an_end_forgotten_by_a_reset_leaves_the_first_row_valid():
    environment = likeness("CartPole-v1")
    for step in to_the_left(environment):
        if step.terminated.any():
            break
    environment.reset(3)
    assert environment.step(choices(0, 0, 0, 0), NOBODY).valid.all()


WRONG = {
    "too few": (choices(0, 1), r"of shape \(2,\) and dtype int32; allowed: whole numbers of shape \(4,\)"),
    "too many": (choices(0, 1, 0, 1, 1), r"of shape \(5,\)"),
    "too deep": (np.zeros((N, 1), np.int32), r"of shape \(4, 1\)"),
    "fractions": (choices(0, 1, 0.5, 1, dtype=np.float32), "dtype float32; allowed: whole"),
    "not a number": (choices(0, 1, np.nan, 1, dtype=np.float32), "dtype float32; allowed: whole"),
    "one too high": (choices(0, 1, 2, 0), "action 2 for environment 2; allowed: 0 … 1"),
    "below": (choices(0, 1, 1, -1), "action -1 for environment 3; allowed: 0 … 1"),
}
WRONG_NUMBERS = {
    "one short": (
        np.zeros((3, 1), np.float32),
        r"shape \(3, 1\) and dtype float32; allowed: numbers of shape \(4, 1\)",
    ),
    "flat": (np.zeros(4, np.float32), r"shape \(4,\)"),
    "text": (np.full((4, 1), "0"), r"dtype <U1; allowed: numbers"),
    "NaN": (np.array([[0], [0], [np.nan], [0]], np.float32), "environment 2 of .* a non-finite action"),
    "infinite": (np.array([[np.inf], [0], [0], [0]], np.float32), "environment 0 of .* a non-finite action"),
}
BATCHES = [("CartPole-v1", *case) for case in WRONG.values()] + [("Pendulum-v1", *x) for x in WRONG_NUMBERS.values()]


@pytest.mark.parametrize(("task", "action", "said"), BATCHES, ids=[*WRONG, *WRONG_NUMBERS])
def test_a_wrong_batch_of_actions_is_an_error_and_is_not_sent(task, action, said, pools):
    environment = likeness(task)
    environment.reset(0)
    with pytest.raises(LogpiError, match=said):
        environment.step(action, NOBODY)
    assert not pools()[0].taken
    environment.step(np.zeros((N, *environment.spec.action_space.shape), np.int32), NOBODY)
    assert len(pools()[0].taken) == 1


def test_what_is_beyond_the_bounds_is_sent_as_what_is_at_them(pools):
    environment = likeness("Pendulum-v1")
    environment.reset(0)
    environment.step(np.array([[-9], [-1], [0.5], [9]], np.float32), NOBODY)
    np.testing.assert_array_equal(pools()[0].taken[0], [[-2], [-2], [1], [2]])


def test_the_idle_move_and_their_rows_do_not_count():
    environment = likeness("CartPole-v1")
    environment.reset(0)
    idle = np.array([True, False, False, True])
    np.testing.assert_array_equal(environment.step(choices(0, 0, 0, 0), idle).valid, ~idle)


# From here on, EnvPool itself.


@pytest.fixture(scope="session")
def library():
    """EnvPool, where it is installed."""
    return pytest.importorskip("envpool")


TASKS = ["CartPole-v1", "Pendulum-v1", "Blackjack-v1", pytest.param("HalfCheetah-v5", marks=pytest.mark.slow)]


@pytest.mark.parametrize("task", TASKS)
def test_envpools_own_keep_the_contract(task, library):
    check_environment(f"envpool:{task}", steps=120)


def test_episodes_of_envpools_own_end_like_gymnasiums(library):
    check_ends(make_pool("CartPole-v1", N))


def test_a_shorter_limit_is_kept_and_a_longer_one_is_not(library):
    assert [make_pool("CartPole-v1", 1, limit).spec.time_limit for limit in (None, 7, 900)] == [500, 7, 500]
    endless = ["Blackjack-v1", "BabyAI-GoToObj-v0"]
    assert [make_pool(task, 1, limit).spec.time_limit for task in endless for limit in (None, 9)] == [None, 9] * 2
    make_pool(endless[1], 1).reset(0)
    rows = [step.truncated.tolist() for step in to_the_left(make_pool("CartPole-v1", 2, 7), steps=8)]
    assert rows == [[False] * 2] * 6 + [[True] * 2, [False] * 2]


def test_what_envpool_answered_is_not_overwritten(library):
    environment, held = make_pool("CartPole-v1", N), []
    for step in to_the_left(environment):
        held.append((step, [np.array(x) for x in step]))
    for step, copies in held:
        for x, y in zip(step, copies, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_pool_that_was_made_already_is_followed_by_others_like_it(library):
    given = library.make_gymnasium("CartPole-v1", num_envs=3, max_episode_steps=30)
    environment = logpi.make(given, 1)
    assert (environment.spec.num_envs, environment.spec.time_limit) == (3, 30)
    assert isinstance(logpi.make(lambda: given, 3), EnvPool)  # though it is a gymnasium.Env as well
    check_environment(given, steps=60)
    with pytest.raises(LogpiError, match="answers for 2 environments at a time; allowed: batch_size=4"):
        logpi.make(library.make_gymnasium("CartPole-v1", num_envs=4, batch_size=2), 1)


def test_a_game_of_several_players_is_refused(library):
    with pytest.raises(LogpiError, match="is a game of 2 players"):
        make_pool("ConnectFour-v1", 1)


def test_no_wrong_batch_ends_the_process(library):
    """EnvPool itself aborts: the process is gone, and no exception is seen."""
    script = """
import numpy as np
from logpi.environments.adapters.envpool import make as make_pool
for task, wrong in {
    "CartPole-v1": [np.zeros(2, int), np.zeros(5, int), np.zeros(4, "f4"), np.full(4, 7), np.full(4, np.nan)],
    "Pendulum-v1": [np.zeros((3, 1), "f4"), np.zeros((4, 2), "f4"), np.full((4, 1), np.nan), np.full((4, 1), "0")],
}.items():
    environment, nobody = make_pool(task, 4), np.zeros(4, bool)
    environment.reset(0)
    for action in wrong:
        try:
            environment.step(action, nobody)
        except ValueError as error:
            print(error)
    print(environment.step(np.zeros((4, *environment.spec.action_space.shape), int), nobody).valid.all())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 11 and [i for i, line in enumerate(lines) if line == "True"] == [5, 10]


@pytest.mark.xfail(strict=True, reason="EnvPool reports an end of the task on the step of the limit as truncated")
def test_an_end_on_the_step_of_the_limit_is_an_end(library):
    """Should this pass one day, the note on the class and in the documentation is to go."""
    falls = next(t for t, step in enumerate(to_the_left(make_pool("CartPole-v1", 1))) if step.terminated[0])
    *_, last = to_the_left(make_pool("CartPole-v1", 1, falls + 1), falls + 1)
    assert last.terminated[0] and not last.truncated[0]
