"""Rollouts of policies that remember: the device, the host and any number of workers remember the same."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import on_device, on_host, remembering_behavior, walks
from helpers import mostly_slow

import logpi
from logpi.core.collection import Episodes, Steps
from logpi.numpy_policy.program import Program
from logpi.rollout.host import HostRollout
from logpi.rollout.noise import rollout_noise
from logpi.rollout.play_episodes import play_episodes
from logpi.rollout.workers.pool import WorkerPool

CORES = ["gru", "lstm", "mingru", "attention"]
COLLECTS = [Steps(30), Episodes(episodes_per_env=2)]


@pytest.mark.thorough_after(2)
@pytest.mark.parametrize("core", mostly_slow(CORES, 2))
@pytest.mark.parametrize("collect", COLLECTS, ids=str)
def test_the_device_and_the_host_collect_the_same(key, core, collect):
    """Episodes of 12 steps, cut by a window of 30: every row's log μ is that of the same memory."""
    device, host = walks(6, 12)
    mu = remembering_behavior(device, core, key, normalize=True)
    here, there = on_device(device, mu, collect, key), on_host(host, mu, collect, key)
    rows = np.asarray(here.valid)
    np.testing.assert_array_equal(rows, there.valid)
    for name in ("obs", "action", "time", "log_prob"):
        a, b = (np.asarray(getattr(tau, name))[rows] for tau in (here, there))
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=name)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("core", ["attention", "gru", "lstm", "mingru"])
def test_actors_with_a_memory_are_lines_of_numpy(key, core):
    _, host = walks(3, 12)
    mu, obs = remembering_behavior(host, core, key), host.reset(0)
    noise = jax.device_get(rollout_noise(mu, obs, key, Steps(4), host.spec))
    assert isinstance(HostRollout(host, Steps(4), mu, obs, noise).program, Program)


def windows(mu, environment, workers, number=3):
    """Three windows, each from the memory that the one before ended with: (fields, memories after each)."""
    obs = environment.reset(5)
    noise = lambda k: jax.device_get(rollout_noise(mu, obs, jr.key(k), Steps(20), environment.spec))
    rollout = HostRollout(environment, Steps(20), mu, obs, noise(0))
    pool = WorkerPool(environment, workers) if workers else None
    try:
        if pool is not None:
            rollout.use_workers(pool)
        rollout.begin(5)
        found, memory = [], ()
        for k in range(number):
            fields = jax.tree.map(np.copy, rollout.collect(mu, noise(k), 5, memory))
            memory = fields["memory"]
            found.append(fields)
        return found
    finally:
        if pool is not None:
            pool.close()


def test_the_number_of_workers_changes_no_bit_of_what_is_remembered(key):
    environment = logpi.make("CartPole-v1", 5)
    mu = remembering_behavior(environment, "gru", key)
    alone, together = (windows(mu, environment, workers) for workers in (0, 2))
    for x, y in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
        np.testing.assert_array_equal(x, y)
    ended = alone[0]["terminated"]
    assert ended.any() and not ended.all(axis=0).any()


def test_what_is_remembered_after_windows_is_what_the_policy_remembers_of_their_rows(key):
    """The actor's memory, in NumPy and reset where episodes end, against the policy unrolled over all rows."""
    environment = logpi.make("CartPole-v1", 5)
    mu = remembering_behavior(environment, "lstm", key)
    found = windows(mu, environment, 0)
    rows = {name: jnp.concatenate([f[name] for f in found]) for name in ("obs", "time")}
    after = mu.unroll(rows["obs"], rows["time"] == 0, mu.initial(5))[1]
    for k, fields in enumerate(found):
        for h, expected in zip(fields["memory"], after, strict=True):
            np.testing.assert_allclose(h, expected[20 * (k + 1) - 1], atol=1e-5)


def test_episodes_that_are_played_carry_their_memory_and_begin_without(key):
    """log μ of played episodes is that of each episode alone, from the initial memory on."""
    _, host = walks(3, 12)
    mu = remembering_behavior(host, "gru", key)
    tau = play_episodes(host, mu, 4, 0, key=key)
    for column in range(4):
        memory, steps = mu.policy.initial(), int(tau.valid[:, column].sum())
        for t in range(steps):
            pi, memory = mu.policy(tau.obs[t, column], memory)
            np.testing.assert_allclose(pi.log_prob(tau.action[t, column]), tau.log_prob[t, column], atol=1e-5)
