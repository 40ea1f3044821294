"""Training loops of host environments: which policy acts when, and that workers and pipelines change no run."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import mostly_slow
from small_runs import fingerprint

import logpi
from logpi.core.double import Double
from logpi.core.seeds import TRAINING, derive
from logpi.loop.host import HostLoop, PipelinedHostLoop
from logpi.loop.iteration import Carry
from logpi.loop.protocol import CallBudget
from logpi.policies.behavior import Behavior
from logpi.rollout.host import HostRollout
from logpi.types import State

RUN_SEED = 7
SEEDS = [derive(RUN_SEED, TRAINING, iteration) for iteration in range(5)]


class RecordedRollout(HostRollout):
    """A rollout that notes each start, and returns the behavior policy that acted."""

    def __init__(self):
        self.starts = []

    def start(self, mu, noise, seed, which=0, memory=()):
        self.starts.append((seed, which))
        self.mu = mu

    def finish(self):
        return {"by": self.mu}

    def collect(self, mu, noise, seed, memory=()):
        self.start(mu, noise, seed)
        return self.finish()


def run_iterations(kind, times):
    """(the rollouts' starts, policies whose rollouts were learned from, keys of the draws) of so many iterations."""
    rollout, learned, keys = RecordedRollout(), [], []

    def draw(carry, progress):
        keys.append(jax.random.key_data(carry.key).tolist())
        return Behavior(carry.state.policy), np.zeros(1)

    def learn(carry, mu, fields, progress):
        assert fields["by"] is mu
        learned.append(mu.policy)
        key, state = jr.split(carry.key, 4)[3], State(carry.state.policy + 1, None, (), ())
        return Carry(state, key, (), carry.partial_returns, carry.iteration + 1), {"steps": 1}

    loop = kind(logpi.make("CartPole-v1", 1), rollout, draw, learn, RUN_SEED)
    carry = Carry(State(0, None, (), ()), jr.key(0), (), Double.zeros(1), jnp.int32(0))
    for k in range(times):
        carry, _ = loop.run(carry, CallBudget(k, times, times, 1))
    return rollout.starts, learned, keys


def test_sequential_each_policy_acts_before_it_learns():
    starts, learned, _ = run_iterations(HostLoop, 4)
    assert learned == [0, 1, 2, 3] and [seed for seed, _ in starts] == SEEDS[:4]


def test_pipelined_the_policy_that_acts_is_one_update_behind():
    """Rollouts alternate between two sets of buffers; no two are drawn with one key, or seeded alike."""
    starts, learned, keys = run_iterations(PipelinedHostLoop, 4)
    assert learned == [0, 0, 1, 2]
    assert starts == list(zip(SEEDS, [0, 1, 0, 1, 0], strict=True)) and len(set(SEEDS)) == 5
    assert len({tuple(key) for key in keys}) == len(keys) == 5


@pytest.mark.thorough
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


@pytest.mark.thorough
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
