"""A host backend gets what its members allow: the fast window, workers and exact resume, whoever wrote it."""

from contextlib import ExitStack

import jax
import jax.random as jr
import numpy as np
import pytest
from builders import behavior
from number_line import NumberLines, WholeLines

import logpi
from logpi.core.collection import Collect, Episodes, Steps
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.protocol import HostEnvironment, Restartable, SteppableCopies
from logpi.environments.registry import make
from logpi.errors import LogpiError
from logpi.rollout import collector
from logpi.rollout.host import HostRollout
from logpi.rollout.noise import rollout_noise
from logpi.rollout.workers.pool import WorkerPool


def test_capabilities_are_members_not_classes():
    lines, whole = NumberLines(3), WholeLines(3)
    assert isinstance(lines, SteppableCopies) and isinstance(make("CartPole-v1", 1), SteppableCopies)
    assert isinstance(whole, Restartable) and not isinstance(whole, SteppableCopies)
    assert isinstance(whole, HostEnvironment) and not isinstance(lines, Gymnasium)


def rollouts(environment, collect: Collect, workers=0, times=3):
    """(the fields of some rollouts, what resumes the unfinished episodes)."""
    mu, obs = behavior(environment, jr.key(0)), environment.reset(7)
    noise = jax.device_get(rollout_noise(mu, obs, jr.key(1), collect, environment.spec))
    rollout = HostRollout(environment, collect, mu, obs, noise)
    with ExitStack() as stack:
        if workers:
            pool = WorkerPool(environment, workers)
            stack.callback(pool.close)
            rollout.use_workers(pool)
        rollout.begin(7)
        return [jax.tree.map(np.array, rollout.collect(mu, noise, s)) for s in range(times)], rollout.snapshot()()


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("collect", [Steps(20), Episodes(episodes_per_env=2)], ids=["window", "episodes"])
def test_workers_change_no_bit_of_a_users_backend(collect):
    assert_equal(rollouts(NumberLines(5), collect), rollouts(NumberLines(5), collect, workers=2))


def test_the_fast_window_is_taken_and_changes_no_bit(monkeypatch):
    taken = []
    fast = collector.collect_window
    monkeypatch.setattr(collector, "collect_window", lambda *a: taken.append(1) or fast(*a))
    copies = rollouts(NumberLines(5), Steps(20))
    assert len(taken) == 3
    assert_equal(copies, rollouts(WholeLines(5), Steps(20)))
    assert len(taken) == 3


@pytest.mark.parametrize("kind", [NumberLines, WholeLines])
def test_unfinished_episodes_are_brought_back(kind):
    environment, collect = kind(4), Steps(7)
    mu, obs = behavior(environment, jr.key(0)), environment.reset(7)
    noise = jax.device_get(rollout_noise(mu, obs, jr.key(1), collect, environment.spec))
    go_on = lambda rollout: jax.tree.map(np.array, rollout.collect(mu, noise, 0))
    one, other = (HostRollout(e, collect, mu, obs, noise) for e in (environment, kind(4)))
    go_on(one)
    snapshot = one.snapshot()()
    assert not other.resume(snapshot, 7, 8).any()
    assert_equal(go_on(one), go_on(other))


@pytest.mark.thorough
def test_a_backend_without_a_factory_gets_no_workers():
    tiny = logpi.ppo(num_envs=2, num_steps=8, minibatch_size=16, hidden=(4,))
    for environment in (NumberLines(2, shareable=False), WholeLines(2)):
        with pytest.raises(LogpiError, match="cannot be shared out over 2 workers"):
            logpi.train(environment, tiny, steps=32, evaluations=0, workers=2)


@pytest.mark.thorough
def test_a_users_backend_trains_with_workers():
    tiny = logpi.ppo(num_envs=4, num_steps=16, minibatch_size=32, hidden=(4,))
    train = lambda workers: logpi.train(NumberLines(4), tiny, steps=128, evaluations=0, workers=workers)
    alone, shared = train(0), train(2)
    assert_equal(*([x for x in jax.tree.leaves(run.policy) if hasattr(x, "shape")] for run in (alone, shared)))
