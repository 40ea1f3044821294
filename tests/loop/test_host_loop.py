"""Iterations on the host: what acts when, and that workers and pipelines are told of in the run."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import mostly_slow
from small_runs import fingerprint

import logpi
from logpi.loop.device import CallBudget
from logpi.loop.host import _ahead, _in_turn
from logpi.loop.iteration import Carry
from logpi.policies.behavior import Behavior
from logpi.rollout.host import HostRollout
from logpi.types import State


class Told(HostRollout):
    """Stands for a rollout: notes what it is told, and gives back who acted."""

    def __init__(self):
        self.said = []

    def start(self, mu, noise, seed, which=0):
        self.said.append(("start", mu, seed, which))
        self.mu = mu

    def finish(self):
        return {"by": self.mu}

    def collect(self, mu, noise, seed):
        self.start(mu, noise, seed)
        return self.finish()


def carried(way, times):
    """(what the rollout was told, who acted in the rollouts that were learned from, the keys they were drawn with)."""
    rollout, learned, keys = Told(), [], []

    def prepare(carry, progress):
        keys.append(jax.random.key_data(carry.key).tolist())
        return Behavior(carry.state.policy), np.zeros(1)

    def learning(carry, mu, fields, progress):
        assert fields["by"] is mu
        learned.append(mu.policy)
        key, state = jr.split(carry.key, 4)[3], State(carry.state.policy + 1, None, (), ())
        return Carry(state, key, (), carry.running, carry.iteration + 1), {"steps": 1}

    run = way(rollout, prepare, learning, lambda iteration: 100 + iteration)
    carry = Carry(State(0, None, (), ()), jr.key(0), (), jnp.zeros(1), jnp.int32(0))
    for k in range(times):
        carry, _ = run(carry, CallBudget(k, times, times, 1))
    return rollout.said, learned, keys


def test_in_turn_each_policy_acts_before_it_learns():
    said, learned, _ = carried(_in_turn, 4)
    assert learned == [0, 1, 2, 3] and [seed for _, _, seed, _ in said] == [100, 101, 102, 103]


def test_ahead_the_policy_that_acts_is_one_update_behind():
    """Into two sets of buffers by turns; no two rollouts are drawn with one key, or seeded alike."""
    said, learned, keys = carried(_ahead, 4)
    assert learned == [0, 0, 1, 2]
    assert [(seed, which) for _, _, seed, which in said] == [(100, 0), (101, 1), (102, 0), (103, 1), (104, 0)]
    assert len({tuple(key) for key in keys}) == len(keys) == 5


@pytest.mark.parametrize("workers", mostly_slow([logpi.Workers(2, pipeline=True), logpi.Workers(2, restarts=1)]))
def test_a_run_with_workers_is_its_own_copy(tmp_path, workers):
    recipe = logpi.ppo(num_envs=4, num_steps=32, minibatch_size=32, epochs=2, hidden=(8,))
    train = lambda name: logpi.train(
        "CartPole-v1", recipe, steps=4 * 128, evaluations=0, out=tmp_path / name, workers=workers
    )
    first, second = train("first"), train("second")
    assert fingerprint(first) == fingerprint(second)
    assert all(row["steps"] == 128 * (i + 1) for i, row in enumerate(first.metrics))
    assert ("environment_restarts" in first.metrics[0]) == bool(workers.restarts)


@pytest.mark.slow
def test_a_pipelined_run_learns(tmp_path):
    """CartPole to 475 within the tuned budget, on three seeds."""
    for seed in range(3):
        how = {"seed": seed, "evaluations": 0, "out": tmp_path / str(seed)}
        run = logpi.train("CartPole-v1", logpi.ppo(), workers=logpi.Workers(2, pipeline=True), **how)
        assert logpi.evaluate(run.policy, "CartPole-v1", episodes=100, seed=1).mean >= 475


@pytest.mark.parametrize(("before", "after"), mostly_slow([(2, 3), (0, 2), (2, 0)]))
def test_a_run_goes_on_with_any_number_of_workers(tmp_path, before, after):
    """Bit for bit the run that was never ended: episodes under way are brought back in whoever has them."""
    recipe = logpi.ppo(num_envs=5, num_steps=24, minibatch_size=40, epochs=2, hidden=(8,))
    train = lambda name, **how: logpi.train(
        "CartPole-v1", recipe, steps=6 * 120, evaluations=0, out=tmp_path / name, **how
    )
    whole = train("whole", workers=0)
    train("ended", workers=before, callbacks=[lambda row: row["iteration"] == 3])
    assert fingerprint(logpi.resume(tmp_path / "ended", workers=after)) == fingerprint(whole)
