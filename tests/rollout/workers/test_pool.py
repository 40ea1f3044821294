"""Workers: their number changes no bit, they know no JAX, and what befalls them is said, mended and cleared away."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import gymnasium
import jax
import jax.random as jr
import numpy as np
import pytest
from helpers import mostly_slow
from mishaps import Dying, Hanging, Killed, Raising, SometimesDying, Walk

import logpi
from logpi.core.collection import Episodes, Steps
from logpi.environments.registry import make
from logpi.errors import EnvironmentFailed, LogpiError
from logpi.numpy_policy.blocks import Blocks, block_size
from logpi.policies.behavior import Behavior
from logpi.rollout.host import HostRollout
from logpi.rollout.noise import rollout_noise
from logpi.rollout.workers import config
from logpi.rollout.workers.pool import WorkerPool


@contextmanager
def collecting(source, num_envs, workers, collect, **how):
    """A fresh policy's rollouts: (how to collect one more, what collects, who has the environments)."""
    one = make(source, num_envs, 20)
    mu = Behavior(logpi.mlp_policy(one.spec.observation_space, one.spec.action_space, key=jr.key(0)))
    noise = jax.device_get(rollout_noise(mu, one.example(), jr.key(1), collect, one.spec))
    rollout = HostRollout(one, collect, mu, one.example(), noise)
    one.restarts = how.get("restarts", 0)
    pool = WorkerPool(one, workers, **how) if workers else None
    try:
        if pool is not None:
            rollout.use_workers(pool)
        rollout.begin(7)
        yield lambda seed: jax.tree.map(np.array, rollout.collect(mu, noise, seed)), rollout, pool or one
    finally:
        if pool is not None:
            pool.close()


def rollouts(source, num_envs, workers, collect, times=3, **how):
    """Some rollouts: (the fields of each, what is unfinished, restarts)."""
    with collecting(source, num_envs, workers, collect, **how) as (once, rollout, owner):
        return [once(seed) for seed in range(times)], rollout.snapshot()(), owner.restarted


def pids(pool):
    return [member.process.pid for member in pool._handles]


@pytest.mark.parametrize("n", [1, 5, 31, 32, 40, 100, 1000])
def test_blocks_cover_each_environment_once_whoever_acts(n):
    """In arrays of one size, whether its neighbors in them are one's own or somebody else's."""
    size, sizes, x = block_size(n), set(), np.arange(n * 2).reshape(n, 2)

    def act(obs, draws):
        sizes.add(obs.shape)
        return obs, draws[0] + 1

    for workers in (1, 2, 3):
        bounds = [n * k // workers for k in range(workers + 1)]
        parts = [Blocks(a, b - a, size)(act, x[a:b], [x[a:b]]) for a, b in itertools.pairwise(bounds) if b > a]
        for k in (0, 1):
            np.testing.assert_array_equal(np.concatenate([part[k] for part in parts]), x + k)
    assert sizes == {(size, 2)}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(
    ("source", "num_envs", "collect", "workers"),
    mostly_slow(
        [
            (Walk, 5, Steps(12), 2),
            (Walk, 5, Episodes(episodes_per_env=2), 2),
            ("CartPole-v1", 40, Steps(16), 3),
            ("Pendulum-v1", 6, Episodes(group=2), 3),
            ("CartPole-v1", 8, Steps(64), 8),
        ],
        fast=2,
    ),
)
def test_the_number_of_workers_changes_no_bit(source, num_envs, collect, workers):
    alone, together = (rollouts(source, num_envs, w, collect)[:2] for w in (0, workers))
    assert jax.tree.structure(alone) == jax.tree.structure(together)
    for x, y in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
        np.testing.assert_array_equal(x, y)


def test_workers_hold_no_jax():
    """What a process has mapped into its memory tells what it has imported."""
    with collecting("CartPole-v1", 4, 2, Steps(4)) as (once, _, pool):
        once(0)
        for pid in pids(pool):
            text = Path(f"/proc/{pid}/maps").read_text()
            assert "numpy" in text and "jaxlib" not in text


@pytest.mark.parametrize("workers", [0, 2])
def test_an_environment_that_raises_is_named(workers):
    with pytest.raises(
        EnvironmentFailed, match=r"environment \d of Raising raised OSError: the simulator is gone"
    ) as e:
        rollouts(Raising, 4, workers, Steps(30))
    assert "at step 5 of an episode that began with seed" in str(e.value)
    assert 'raise OSError("the simulator is gone")' in e.value.trace


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(("kind", "how"), [(Dying, "with exit status 7"), (Killed, "by signal SIGKILL")])
def test_a_worker_that_dies_is_named(kind, how):
    with pytest.raises(
        EnvironmentFailed, match=rf"worker \d of 2, with environments \d … \d of {kind.__name__}, ended {how}"
    ):
        rollouts(kind, 4, 2, Steps(30))


def test_a_worker_that_hangs_is_found_out():
    started = time.monotonic()
    with pytest.raises(EnvironmentFailed, match=r"of Hanging, made no step for 1 seconds"):
        rollouts(Hanging, 2, 2, Steps(30), step_timeout=1)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("workers", [0, 2])
def test_an_environment_may_be_made_anew(workers):
    """The step that failed is no transition; the episode is cut before it; the next begins after it."""
    taken, _, restarted = rollouts(Raising, 4, workers, Steps(30), restarts=200)
    assert restarted > 0
    for tau in taken:
        failed = ~tau["valid"]
        assert failed.any() and (tau["truncated"] & ~tau["terminated"])[failed].all()
        before = np.roll(failed, -1, axis=0)
        before[-1] = False
        assert tau["truncated"][before].all() and tau["valid"][before].all()
        after = np.roll(failed, 1, axis=0)
        after[0] = False
        assert (tau["time"][after] == 0).all() and (tau["time"][failed] == 4).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_whole_episodes_that_fail_are_begun_again(workers):
    taken, _, restarted = rollouts(Raising, 4, workers, Episodes(), restarts=200)
    assert restarted > 0
    for tau in taken:
        assert (tau["valid"].sum(axis=0) == 7).all() and tau["terminated"][6].all() and not tau["truncated"].any()


@pytest.mark.thorough
def test_a_worker_may_be_replaced_and_begins_new_episodes():
    taken, _, restarted = rollouts(SometimesDying, 4, 2, Steps(10), restarts=20)
    assert 0 < restarted < 20 and all(tau["valid"].all() for tau in taken)
    np.testing.assert_array_equal(taken[0]["time"][0], 0)


def test_one_that_always_fails_ends_the_run():
    class Always(Raising):
        def step(self, action):
            self.befalls()

    with pytest.raises(EnvironmentFailed, match="the simulator is gone"):
        rollouts(Always, 2, 0, Steps(8), restarts=3)


def test_an_environment_that_a_worker_cannot_make_says_so():
    here = os.getpid()

    def make():
        if os.getpid() != here:
            raise OSError("there is one license")
        return Walk()

    text = "raised OSError: there is one license, when it made its environments; try workers 0"
    with pytest.raises(EnvironmentFailed, match=text):
        rollouts(make, 4, 2, Steps(4))


def test_workers_make_what_this_process_has_registered():
    """A factory names the id, which no worker has registered."""
    gymnasium.register("OfThisProcess-v0", Walk, max_episode_steps=6)
    try:
        make = lambda: gymnasium.make("OfThisProcess-v0")
        (alone, *_), (shared, *_) = (rollouts(make, 4, workers, Steps(8), times=1)[0] for workers in (0, 2))
    finally:
        del gymnasium.registry["OfThisProcess-v0"]
    jax.tree.map(np.testing.assert_array_equal, alone, shared)


@pytest.mark.thorough
def test_workers_that_nobody_asked_for_are_done_without_where_they_cannot_make_the_environments(
    tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(config, "MIN_ROLLOUT_ROWS", 0)
    monkeypatch.setattr(config, "MIN_RUN_STEPS", 0)
    monkeypatch.setattr(config, "available_cores", lambda: 2)
    monkeypatch.setattr("logpi.evaluation.evaluate.WORKER_THRESHOLD_SECONDS", 0.0)
    here = os.getpid()
    one = lambda: gymnasium.wrappers.TimeLimit(Walk(), 20)
    make = lambda: one() if os.getpid() == here else sys.exit("there is one license")
    recipe = logpi.ppo(num_envs=2, num_steps=8, minibatch_size=16, hidden=(4,))
    run = logpi.train(make, recipe, steps=48, evaluations=3, out=tmp_path / "run")
    assert capfd.readouterr().err.count("warning: no worker processes, environments are stepped in this one") == 1
    assert [row["steps"] for row in run.metrics if "eval_return_mean" in row] == [16, 32, 48]


def test_what_cannot_be_shared_out_is_refused():
    tiny = {"num_envs": 2, "num_steps": 8, "minibatch_size": 16, "hidden": (4,)}
    train = lambda env, **o: logpi.train(env, logpi.ppo(**tiny), steps=32, evaluations=0, **o)
    with pytest.raises(
        LogpiError, match=r"cannot be shared out over 2 workers: workers make environments of their own"
    ):
        train(gymnasium.make_vec("CartPole-v1", 2), workers=2)
    lock = threading.Lock()
    with pytest.raises(LogpiError, match="its factory cannot be sent to another process"):
        train(lambda: (lock, Walk())[1], workers=2)
    with pytest.raises(LogpiError, match="workers is -1; allowed: a whole number ≥ 0"):
        train("CartPole-v1", workers=-1)
    with pytest.raises(LogpiError, match="pipeline needs workers"):
        logpi.Workers(0, pipeline=True)


PARENT = """
from test_pool import Steps, collecting, pids
with collecting("CartPole-v1", 2, 2, Steps(4)) as (once, _, pool):
    once(0)
    print(*pids(pool), flush=True)
    {then}
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.thorough
@pytest.mark.parametrize("then", ["input()", "raise SystemExit(3)", "pass"], ids=["killed", "raised", "ended"])
def test_no_worker_outlives_its_run(then):
    command, here = [sys.executable, "-c", PARENT.format(then=then)], Path(__file__).parent
    with subprocess.Popen(
        command,
        stdin=-1,
        stdout=-1,
        text=True,
        cwd=here,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")])},
    ) as parent:
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        if then == "input()":
            assert all(map(alive, workers))
            parent.kill()
    until = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, workers))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "times", "status"), [("SIGINT", 1, 130), ("SIGTERM", 1, 143), ("SIGINT", 2, -2)])
def test_signals_end_the_run_and_its_workers(tmp_path, number, times, status):
    """To the whole group, as a terminal sends them; what was trained is saved, and no worker says a word."""
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "logpi",
        "train",
        "Pendulum-v1",
        "--workers",
        "2",
        "--steps",
        "5e6",
        "--out",
        str(out),
    ]
    with subprocess.Popen(command, stderr=-1, text=True, start_new_session=True) as parent:
        rows = out / "metrics.jsonl"
        while not rows.exists() or not rows.read_text().count("\n"):
            time.sleep(0.1)
        children = subprocess.run(["pgrep", "-P", str(parent.pid)], capture_output=True, text=True).stdout.split()
        assert len(children) == 2
        for _ in range(times):
            os.killpg(parent.pid, getattr(signal, number))
            time.sleep(0.3)
        error = parent.communicate(timeout=60)[1]
    assert parent.returncode == status and "Traceback" not in error
    assert any((out / "checkpoints").iterdir())
    until = time.monotonic() + 5
    while any(map(alive, children)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, children))
