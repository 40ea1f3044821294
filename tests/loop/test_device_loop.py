"""Many iterations in one program are the same iterations, wherever a call begins and ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import mostly_slow
from small_runs import TINY, fingerprint

import logpi
from logpi.loop.device import LOW_BITS, device_call_budget
from logpi.loop.factory import make_loop
from logpi.loop.iteration import init_carry
from logpi.loop.protocol import CallBudget
from logpi.training.plan import make_plan

FAST = {"num_envs": 4, "hidden": (8,), "learning_rate": "1e-2:0"}
RECIPES = {
    "windows": logpi.ppo(**TINY | FAST),
    "episodes": logpi.reinforce(**FAST, max_episode_steps=40),
}


class CompiledLoop:
    """A compiled program and the carry to begin with, which it would use up: a new one each time."""

    def __init__(self, recipe, budget):
        from contextlib import ExitStack

        with ExitStack() as stack:
            self.plan = make_plan("logpi:CartPole-v1", recipe, budget, (None, None), 1, stack)
        collect, spec = self.plan.algorithm.collect, self.plan.environment.spec
        self.largest, self.budget = collect.max_steps(spec.num_envs, spec.time_limit), budget
        self.run = make_loop(self.plan.algorithm, self.plan.environment, self.begin(), 1, capacity=8).run

    def begin(self):
        plan = self.plan
        return init_carry(plan.algorithm, plan.environment, plan.policy, plan.critic, plan.key)

    def rows(self, lengths, until=2**30):
        """Everything that calls of these lengths, one after the other, leave: carry and figures."""
        carry, rows = self.begin(), []
        for most in lengths:
            steps = sum(int(row["steps"]) for row in rows)
            carry, more = self.run(carry, CallBudget(steps, self.budget, until, self.largest, most))
            rows += more
        return carry, [{name: x for name, x in row.items() if "second" not in name} for row in rows]


@pytest.fixture(scope="module", params=RECIPES)
def loop(request):
    return CompiledLoop(RECIPES[request.param], 6000)


def bits(tree):
    raw = lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
    return [np.asarray(raw(x)).tobytes() for x in jax.tree.leaves(tree) if isinstance(x, jax.Array | np.ndarray)]


@pytest.mark.thorough
def test_the_same_bits_however_iterations_are_cut_into_calls(loop):
    carry, rows = loop.rows([1] * 7)
    assert len(rows) == 7 and len({float(row["learning_rate"]) for row in rows}) == 7
    for lengths in ([7], [2, 5], [3, 1, 3]):
        again, others = loop.rows(lengths)
        assert bits(again) == bits(carry) and bits(others) == bits(rows)


@pytest.mark.thorough_after(1)
def test_a_schedule_sees_the_steps_taken_before_each_iteration(loop):
    rows = loop.rows([7])[1]
    before = np.cumsum([0, *(int(row["steps"]) for row in rows)])[:-1]
    expected = 1e-2 * (1 - before / 6000)
    np.testing.assert_allclose([float(row["learning_rate"]) for row in rows], expected, rtol=1e-6)


def test_no_iteration_begins_where_something_is_due_or_might_not_fit(loop):
    rows = loop.rows([7])[1]
    steps = np.cumsum([int(row["steps"]) for row in rows])
    assert len(loop.rows([7], until=int(steps[2]))[1]) == 3 == len(loop.rows([7], until=int(steps[1]) + 1)[1])
    tight = CallBudget(0, int(steps[1]) + loop.largest, 2**30, loop.largest, 7)  # room for one more after two
    assert len(loop.run(loop.begin(), tight)[1]) == 3
    assert len(loop.run(loop.begin(), tight._replace(budget=tight.budget - 1))[1]) == 2
    assert len(loop.run(loop.begin(), tight._replace(budget=1))[1]) == 1  # one is always made


def test_no_call_makes_more_than_there_is_room_for_their_figures(loop):
    assert len(loop.rows([100])[1]) == 8


def test_progress_depends_on_the_steps_taken_alone():
    budget, steps = 2**40 + 12345, 2**33 + 2**LOW_BITS - 3
    shares = {
        float(device_call_budget(CallBudget(steps - part, budget, 2**50, 1), 8).progress(jnp.int32(part)))
        for part in (0, 1, 17, 2**20, 2**26 + 5, 2**29)
    }
    assert len(shares) == 1
    np.testing.assert_allclose(shares.pop(), steps / budget, rtol=1e-7)


@pytest.mark.thorough
@pytest.mark.parametrize("name", mostly_slow(["windows", "episodes"]))
def test_a_callback_sees_every_iteration_as_it_ends_and_changes_no_bit(tmp_path, name):
    train = lambda out, **o: logpi.train("logpi:CartPole-v1", RECIPES[name], steps=3000, out=tmp_path / out, **o)
    alone, seen = train("alone"), []
    watched = train("watched", callbacks=[lambda row: seen.append(row["iteration"])])
    assert fingerprint(watched) == fingerprint(alone) and len(seen) == len(alone.metrics) > 5
    evaluated = lambda run: [row["iteration"] for row in run.metrics if "eval_return_mean" in row]
    assert evaluated(alone) == evaluated(watched) and len(evaluated(alone)) == 5


@pytest.mark.thorough
def test_what_was_passed_in_is_still_there_afterwards(tmp_path):
    env = logpi.make("logpi:CartPole-v1", 4)
    spaces = env.spec.observation_space, env.spec.action_space
    policy = logpi.mlp_policy(*spaces, hidden=(8,), key=jax.random.key(0))
    before = bits(policy)
    run = logpi.train(env, RECIPES["windows"], policy=policy, steps=256, evaluations=0, out=tmp_path)
    assert bits(policy) == before != bits(run.policy)
