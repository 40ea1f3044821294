"""Memory cores and the unrolling of networks that remember."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gymnasium import spaces

import logpi
from logpi.algorithms.batch import memories_before
from logpi.credit.base import next_state_values, state_values
from logpi.distributions.categorical import Categorical
from logpi.errors import LogpiError
from logpi.policies.compatibility import require_spaces
from logpi.policies.cores import GRU, LSTM, GatedAttention, MinGRU
from logpi.policies.cores.factory import core_factory
from logpi.policies.cores.mingru import compose_in_parallel, compose_in_turn
from logpi.policies.evaluate import evaluate_policy
from logpi.policies.memory import step_by_step, unroll
from logpi.policies.recurrent import recurrent_critic, recurrent_policy
from logpi.testing import check_policy
from logpi.types import Batch, Memory, State, Trajectory
from logpi.updates.minibatches import flatten_rows, segments, shuffled

SIZE, CONTEXT, STEPS = 8, 5, 17
CORES = {
    "gru": lambda key: GRU(SIZE, 6, key=key),
    "lstm": lambda key: LSTM(SIZE, 6, key=key),
    "mingru": lambda key: MinGRU(SIZE, 6, key=key),
    "attention": lambda key: GatedAttention(SIZE, CONTEXT, key=key),
}


@pytest.fixture(params=CORES.values(), ids=CORES.keys())
def core(request, key):
    return request.param(key)


@pytest.fixture
def x(key):
    return jr.normal(key, (STEPS, SIZE))


fast, slow = eqx.filter_jit(unroll), eqx.filter_jit(step_by_step)


@pytest.mark.parametrize("first", [False, True], ids=["goes on", "begins"])
def test_a_core_unrolled_at_once_is_the_core_step_by_step_with_resets_anywhere(core, x, first):
    begins = jnp.zeros(STEPS, bool).at[jnp.array([3, 4, 11])].set(True).at[0].set(first)
    before = jax.tree.map(lambda h: h[-1], slow(core, 2 * x, begins, core.initial())[1])
    one_by_one, at_once = slow(core, x, begins, before), fast(core, x, begins, before)
    for a, b in zip(jax.tree.leaves(one_by_one), jax.tree.leaves(at_once), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert a.dtype == b.dtype


def test_the_parallel_form_of_mingru_is_the_sequential_one(key):
    """With resets, where a is 0, at the beginning, in the middle and twice in a row."""
    k_a, k_b, k_h = jr.split(key, 3)
    a, b, h = jr.uniform(k_a, (STEPS, 6)), jr.normal(k_b, (STEPS, 6)), jr.normal(k_h, (6,))
    for resets in ([], [0], [5, 6, 12]):
        a = a.at[jnp.array(resets, int)].set(0)
        np.testing.assert_allclose(compose_in_parallel(a, b, h), compose_in_turn(a, b, h), atol=1e-5)


def test_nothing_before_an_episode_reaches_into_it_and_all_within_it_does(core, x):
    """∂y_t/∂x_s is 0 for s in another episode or after t, and not 0 from the episode's (or window's) beginning on."""
    begins = jnp.zeros(STEPS, bool).at[6].set(True)
    influence = eqx.filter_jit(jax.jacrev(lambda x: unroll(core, x, begins, core.initial())[0]))(x)
    reaches = np.abs(influence).sum(axis=(1, 3)) > 0
    for t in range(STEPS):
        start = 0 if t < 6 else 6
        start = max(start, t - CONTEXT + 1) if isinstance(core, GatedAttention) else start
        assert reaches[t].nonzero()[0].tolist() == list(range(start, t + 1)), t


def test_a_core_goes_on_where_a_window_was_cut(core, x):
    x, begins = x[:16], jnp.zeros(16, bool).at[2].set(True)
    whole = fast(core, x, begins, core.initial())
    first = fast(core, x[:8], begins[:8], core.initial())
    second = fast(core, x[8:], begins[8:], jax.tree.map(lambda h: h[-1], first[1]))
    for a, b, c in zip(*map(jax.tree.leaves, (whole, first, second)), strict=True):
        np.testing.assert_allclose(a, np.concatenate([b, c]), atol=1e-6)


def test_the_lstm_of_four_numbers_by_hand():
    """i = f = o = σ of (x + h) with weights 1, g = tanh: two steps."""
    core = eqx.tree_at(
        lambda c: (c.input_weight, c.weight, c.bias),
        LSTM(1, 1, key=jr.key(0)),
        (jnp.ones((1, 4)), jnp.ones((1, 4)), jnp.zeros(4)),
    )
    sigma = lambda z: 1 / (1 + np.exp(-z))
    h = c = 0.0
    memory = core.initial()
    for x in (0.5, -1.0):
        gate = sigma(x + h)
        c = gate * c + gate * np.tanh(x + h)
        h = gate * np.tanh(c)
        y, memory = core(jnp.array([x]), memory)
    np.testing.assert_allclose(np.concatenate([y, *memory]), [h, h, c], rtol=1e-6)


class Sum(eqx.Module):
    """A network by whose answers everything can be computed by hand: h' = h / 2 + x, and the answer is of h'."""

    answer: eqx.Module | None
    weight: jax.Array = eqx.field(default_factory=lambda: jnp.float32(1))

    def initial(self):
        return jnp.float32(10)

    def __call__(self, obs, memory):
        memory = memory / 2 + self.weight * obs
        return (2 * memory if self.answer is None else Categorical(jnp.stack([memory, jnp.zeros(())]))), memory


class Logits(eqx.Module):
    """Marks `Sum` as a policy."""


@pytest.fixture
def golden():
    """One column of six steps: an episode goes on for two, one of three begins, is cut, and another begins."""
    column = lambda *x, dtype=jnp.float32: jnp.array(x, dtype)[:, None]
    flags = lambda *x: column(*x, dtype=bool)
    return Trajectory(
        obs=column(1, 2, 3, 4, 5, 6),
        action=column(0, 0, 0, 0, 0, 0, dtype=jnp.int32),
        log_prob=jnp.zeros((6, 1)),
        reward=jnp.ones((6, 1)),
        next_obs=column(2, 20, 4, 5, 50, 60),
        time=column(7, 8, 0, 1, 2, 0, dtype=jnp.int32),
        terminated=flags(0, 1, 0, 0, 0, 0),
        truncated=flags(0, 0, 0, 0, 1, 0),
        valid=jnp.ones((6, 1), bool),
        memory=Memory(jnp.full((1, 1), 4.0), jnp.full((1, 1), 8.0)),
    )


def test_a_golden_trajectory_with_two_resets_inside_a_window(golden):
    """h, V, V of true successors and log π as computed by hand."""
    policy, critic = Sum(Logits()), Sum(None)
    state = State(policy, critic, (), ())
    # From 4: 4/2 + 1 = 3, 3/2 + 2 = 3.5; reset to 10: 5 + 3 = 8, 4 + 4 = 8, 4 + 5 = 9; reset: 5 + 6 = 11.
    h = np.array([3, 3.5, 8, 8, 9, 11])
    v = 2 * np.array([5, 4.5, 8, 8, 9, 11])  # from 8: 4 + 1, 5/2 + 2; then as above
    after = 2 * np.array([5 / 2 + 2, 4.5 / 2 + 20, 8 / 2 + 4, 8 / 2 + 5, 9 / 2 + 50, 11 / 2 + 60])
    np.testing.assert_allclose(evaluate_policy(policy, golden).logits[:, 0, 0], h)
    np.testing.assert_allclose(state_values(critic, golden)[:, 0], v)
    np.testing.assert_allclose(next_state_values(critic, golden)[:, 0], after)
    before = memories_before(state, golden)
    np.testing.assert_allclose(before.policy[:, 0], [4, *h[:-1]])
    np.testing.assert_allclose(before.critic[:, 0], [8, *v[:-1] / 2])
    np.testing.assert_allclose(
        logpi.GAE(1.0, 0.0)(state, golden)[0][:, 0], 1 + np.where([0, 1, 0, 0, 0, 0], 0, after) - v, rtol=1e-6
    )


@pytest.mark.parametrize("length", [1, 3])
def test_segments_answer_as_the_whole_window_does_and_their_first_ratio_is_one(golden, length):
    """Two columns of different memories, shuffled: each row's π is that of the window, whatever segment it is in."""
    policy, state = Sum(Logits()), State(Sum(Logits()), Sum(None), (), ())
    two = jax.tree.map(lambda x: jnp.concatenate([x, x], axis=1), golden)
    two = dataclasses.replace(two, obs=two.obs.at[:, 1].multiply(0.3), memory=Memory(*[jnp.array([[4.0, 7.0]])] * 2))
    old, zeros = evaluate_policy(policy, two), jnp.zeros((6, 2))
    batch = Batch(
        obs=two.obs,
        action=two.action,
        log_prob=old.log_prob(two.action),
        credit=jnp.arange(12.0).reshape(6, 2),
        target=zeros,
        valid=two.valid,
        old=old,
        scale=jnp.float32(1),
        begins=two.begins,
        memory=two.memory,
    )
    cut = segments(batch, length, memories_before(state, two))
    assert cut.valid.shape == (length, 12 // length)
    parts = shuffled(cut, 2 * length, "step", jr.key(0))
    rows = []
    for i in range(int(parts.count)):
        part = parts.take(jnp.int32(i))
        pi = evaluate_policy(policy, part)
        np.testing.assert_allclose(pi.log_prob(part.action), part.log_prob, atol=1e-6)
        np.testing.assert_allclose(pi.logits, part.old.logits, atol=1e-6)
        rows += part.credit.T.ravel().tolist()
    assert sorted(rows) == list(range(12))


MASKED = spaces.Dict(seen=spaces.Box(-1, 1, (3,)), action_mask=spaces.MultiBinary(3))


@pytest.mark.parametrize("name", CORES)
def test_a_policy_that_remembers_takes_no_illegal_action(name, key):
    policy = recurrent_policy(MASKED, spaces.Discrete(3), core=core_factory(name, 4, 3), hidden=(4,), key=key)
    obs = {"seen": jnp.ones(3), "action_mask": jnp.array([1, 0, 1], jnp.int8)}
    pi, memory = policy(obs, policy.initial())
    assert pi.logits[1] == -jnp.inf and np.isfinite(pi.logits[::2]).all()
    assert jax.tree.structure(memory) == jax.tree.structure(policy.initial())


def test_pictures_and_normalized_numbers_are_remembered(key):
    seen = spaces.Dict(picture=spaces.Box(0, 255, (8, 8, 1), np.uint8), rest=spaces.Box(-1, 1, (2,)))
    critic = recurrent_critic(seen, core=core_factory("gru", 4, 1), hidden=(4,), normalize=True, key=key)
    obs = {"picture": jnp.zeros((8, 8, 1), jnp.uint8), "rest": jnp.zeros(2)}
    value, memory = critic(obs, critic.initial())
    assert value.shape == () and memory.shape == (4,)


class Growing(eqx.Module):
    """A core that does not keep its memory's shape."""

    def initial(self):
        return jnp.zeros(2)

    def __call__(self, x, memory):
        return x, jnp.concatenate([memory, memory])


def test_a_memory_that_changes_its_shape_is_refused(key):
    seen, acted = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)
    with pytest.raises(LogpiError, match=r"memory of the core Growing is float32\[2\] before a step and float32\[4\]"):
        recurrent_policy(seen, acted, core=lambda inputs, key: Growing(), key=key)

    class Policy(Growing):
        def __call__(self, x, memory):
            return Categorical(x[:2]), super().__call__(x, memory)[1]

    with pytest.raises(LogpiError, match=r"memory of the policy is float32\[2\] before a step"):
        require_spaces(Policy(), seen, acted, "a task")


def test_rows_out_of_order_and_rows_without_memory_are_refused(golden):
    with pytest.raises(LogpiError, match="do not: they are another network's"):
        evaluate_policy(Sum(Logits()), dataclasses.replace(golden, memory=Memory()))
    rows = [golden.obs, golden.action, golden.log_prob, golden.reward, golden.reward, golden.valid, golden.reward]
    flat = flatten_rows(Batch(*rows, jnp.float32(1), begins=golden.begins, memory=golden.memory))
    with pytest.raises(LogpiError, match=r"rows in the order of time, \[T, N\]; these are not"):
        evaluate_policy(Sum(Logits()), flat)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_length": 32}, "sequence_length is 32 without a memory"),
        ({"memory": "gru", "sequence_length": 100}, "sequence_length is 100; allowed: a divisor of num_steps, 256"),
        ({"memory": "rnn"}, "memory is rnn; allowed: gru, lstm, mingru, attention or none"),
    ],
)
def test_options_that_do_not_fit_are_one_line(options, message):
    with pytest.raises(LogpiError, match=message):
        logpi.ppo(**options).settings("")


def test_methods_that_cannot_remember_say_why():
    spec = logpi.make("logpi:CartPole-v1", 2).spec
    recipe = logpi.q_actor_critic(memory="gru")
    with pytest.raises(LogpiError, match=r"memory is gru and this method's critic answers Q\(s, a\)"):
        recipe.build(spec, recipe.settings(""), jr.key(0))
    with pytest.raises(LogpiError, match="sequence_length is 4; allowed: none, since this method takes no gradient"):
        logpi.evolution(memory="gru", sequence_length=4).algorithm(
            logpi.evolution(memory="gru", sequence_length=4).settings("")
        )


class Forgets(eqx.Module):
    """A policy whose `unroll` does not reset its memory."""

    policy: eqx.Module

    def initial(self):
        return self.policy.initial()

    def __call__(self, obs, memory):
        return self.policy(obs, memory)

    def unroll(self, x, begins, memory):
        return self.policy.unroll(x, jnp.zeros_like(begins), memory)


def test_the_check_of_policies_knows_memories(key):
    seen, acted = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)
    policy = recurrent_policy(seen, acted, core=core_factory("gru", 4, 1), hidden=(4,), key=key)
    check_policy(policy, seen, acted)
    with pytest.raises(LogpiError, match="unroll gives other memories than the steps"):
        check_policy(Forgets(policy), seen, acted)
