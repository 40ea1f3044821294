"""The policy that NumPy runs is the policy."""

import pickle
import re
import subprocess
import sys
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, SEEN, VECTORS, policy, stirred
from gymnasium import spaces

from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.numpy_policy.program import bind_program
from logpi.policies.behavior import Behavior, Greedy
from logpi.policies.mlp import Dense
from logpi.policies.normalization import Moments
from logpi.rollout.actor import behavior_arrays, lower_policy, make_actor
from logpi.types import Frozen, trainable

N = 6


class Users(eqx.Module):
    """A policy as a user might write one: two layers, a function between them, a Gaussian at the end."""

    first: Dense
    last: Dense
    between: object = eqx.field(static=True)

    def __init__(self, between, key):
        layer = lambda k, i, o: Dense(jr.normal(k, (i, o)), jnp.full(o, 0.1))
        self.first, self.last, self.between = layer(key, 3, 8), layer(jr.key(1), 8, 2), between

    def __call__(self, obs):
        mean = self.last(self.between(self.first(obs)))
        return Gaussian(mean, jnp.tanh(mean) - 1)


def layer_norm(x):
    return (x - jnp.mean(x)) * jax.lax.rsqrt(jnp.var(x) + 1e-5)


def convolved(x):
    return jax.lax.conv(x[None, None], jnp.ones((1, 1, 3)), (1,), "SAME")[0, 0]


ACTIVATIONS = [
    jax.nn.relu,
    jax.nn.gelu,
    jax.nn.softplus,
    jax.nn.silu,
    jax.nn.elu,
    jax.nn.leaky_relu,
    jax.nn.sigmoid,
    jax.nn.softmax,
    jnp.tanh,
    jnp.sin,
    layer_norm,
    lambda x: jnp.where((x > -1) & ~(x > 1) | (x > 2), x**2, jnp.abs(x)),
    lambda x: jnp.clip(x.reshape(2, 4).T.reshape(8), -0.5, 0.5),
    lambda x: jnp.concatenate([x[::2], jnp.max(x[1::2], keepdims=True), x[:3]]),
]


def normalized(actions, key):
    """A policy whose running statistics are not the first ones."""
    pi = policy(actions, key, normalize=True)
    moments = Moments(jnp.float32(10), jnp.array([0.5, -1.0, 2.0]), jnp.array([4.0, 0.25, 1.0]))
    return eqx.tree_at(lambda p: p.encode.moments, pi, Frozen(moments))


def population(pi, key):
    """One θ for each environment."""
    rest = trainable(pi)[1]
    members = [trainable(stirred(pi, k))[0] for k in jr.split(key, N)]
    return Behavior(eqx.combine(jax.tree.map(lambda *x: jnp.stack(x), *members), rest), per_environment=True)


EVERYTHING = spaces.Dict(
    place=spaces.Box(-1.0, 1.0, (2, 2)),
    gear=spaces.Discrete(4, start=1),
    rest=spaces.Tuple([spaces.MultiBinary(3), spaces.MultiDiscrete([2, 3])]),
)
MASKED = spaces.Dict(seen=spaces.Box(-1.0, 1.0, (3,)), action_mask=spaces.MultiBinary(5))


def of_spaces(key):
    """Built-in policies of every kind of space, and of every head."""
    yield "all spaces", Behavior(policy(EVERYTHING, key, EVERYTHING, normalize=True)), EVERYTHING
    yield "squashed", Behavior(policy(VECTORS, key, squash=True, std="fixed")), SEEN
    yield "σ by state", Behavior(policy(VECTORS, key, std="state")), SEEN
    yield "masked", Behavior(policy(spaces.MultiDiscrete([2, 3]), key, MASKED)), MASKED
    yield "masked, greedy", Behavior(Greedy(policy(spaces.Discrete(5), key, MASKED))), MASKED


def behaviors(key):
    for name, actions in {"categorical": CHOICES, "gaussian": VECTORS}.items():
        yield name, Behavior(policy(actions, key))
        yield f"{name}, normalized", Behavior(normalized(actions, key))
        yield f"{name}, greedy", Behavior(Greedy(policy(actions, key)))
        yield f"{name}, population", population(normalized(actions, key), key)
    for function in ACTIVATIONS:
        yield getattr(function, "__name__", "lambda"), Behavior(Users(function, key))


BEHAVIORS = list(behaviors(jr.key(7)))


OF_SPACES = list(of_spaces(jr.key(8)))


def examples(mu, key, obs=None):
    """Observations of N environments, and the noise to act on them with."""
    obs = 2 * jr.normal(key, (N, 3)) if obs is None else obs
    return jax.device_get((obs, mu(obs).noise(key)))


def acts(mu, obs, noise):
    """How policies like μ act: μ ↦ a function of observations and noise."""
    bind = make_actor(mu, obs, noise).bind
    return lambda mu: lambda obs, noise: bind(behavior_arrays(mu))(obs, jax.tree.leaves(noise))


def drawn(mu, space):
    """The same, with observations drawn from a space."""
    space.seed(3)
    one = [space.sample() for _ in range(N)]
    return examples(mu, jr.key(3), jax.tree.map(lambda *x: np.stack(x), *one))


def jitted(mu, obs, noise):
    @jax.jit
    def act(obs, noise):
        pi = mu(obs)
        action = pi.push(noise)
        return action, pi.to_env(action)

    return jax.device_get(act(obs, noise))


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("mu", [mu for _, mu in BEHAVIORS], ids=[name for name, _ in BEHAVIORS])
def test_numpy_takes_the_actions_that_jax_takes(key, mu):
    """To 1e-5, for observations that the actor was not made with."""
    act = acts(mu, *examples(mu, key))(mu)
    for k in jr.split(key, 3):
        obs, noise = examples(mu, k)
        for got, truth in zip(act(obs, noise), jitted(mu, obs, noise), strict=True):
            assert got.dtype == truth.dtype and got.shape == truth.shape
            np.testing.assert_allclose(got, truth, atol=1e-5, rtol=1e-5)


@pytest.mark.thorough_after(2)
@pytest.mark.parametrize("mu, space", [x[1:] for x in OF_SPACES], ids=[x[0] for x in OF_SPACES])
def test_every_built_in_policy_acts_in_numpy(mu, space):
    """Whatever it sees and does, and whichever head it has."""
    obs, noise = drawn(mu, space)
    got, truth = acts(mu, obs, noise)(mu)(obs, noise), jitted(mu, obs, noise)
    assert jax.tree.structure(got) == jax.tree.structure(truth)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(truth), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_allclose(x, y, atol=1e-5, rtol=1e-5)


WITHOUT_JAX = """
import pickle, sys
sys.modules.update(jax=None, jaxtyping=None, equinox=None)  # importing them fails
from logpi.numpy_policy.program import bind_program
programs, cases = pickle.load(sys.stdin.buffer)
answers = [bind_program(program, weights)(obs, noise) for program, (weights, obs, noise) in zip(programs, cases)]
pickle.dump(answers, sys.stdout.buffer)
"""


def test_a_program_acts_where_jax_cannot_be_imported_and_not_one_bit_differs():
    """It is plain data: pickled, it takes the same actions in a process that never sees JAX."""
    stacked = [(mu, *examples(mu, jr.key(2))) for _, mu in BEHAVIORS[:8]]
    given = stacked + [(mu, *drawn(mu, space)) for _, mu, space in OF_SPACES]
    programs = [lower_policy(*case) for case in given]
    cases = [jax.device_get((behavior_arrays(mu), obs, jax.tree.leaves(noise))) for mu, obs, noise in given]
    sent = pickle.dumps((programs, cases))
    answer = subprocess.run([sys.executable, "-c", WITHOUT_JAX], input=sent, capture_output=True, check=True).stdout
    for program, case, there in zip(programs, cases, pickle.loads(answer), strict=True):
        here = bind_program(program, case[0])(*case[1:])
        assert jax.tree.structure(here) == jax.tree.structure(there)
        jax.tree.map(np.testing.assert_array_equal, here, there)


@pytest.mark.parametrize("mu", [mu for _, mu in BEHAVIORS[:8]], ids=[name for name, _ in BEHAVIORS[:8]])
def test_new_weights_are_used_from_when_they_are_bound(key, mu):
    """θ and running statistics alike, while what was bound before stays what it was."""
    obs, noise = examples(mu, key)
    bind = acts(mu, obs, noise)
    moved = jax.tree.map(lambda x: x + 0.7 if eqx.is_inexact_array(x) and x.ndim else x, mu)
    old, new = bind(mu), bind(moved)
    np.testing.assert_allclose(new(obs, noise)[0], jitted(moved, obs, noise)[0], atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(old(obs, noise)[0], jitted(mu, obs, noise)[0], atol=1e-5, rtol=1e-5)


def test_what_was_answered_before_is_not_overwritten(key):
    mu = Behavior(policy(VECTORS, key))
    one, two = examples(mu, key), examples(mu, jr.key(1))
    act = acts(mu, *one)(mu)
    first = act(*one)[0]
    kept = first.copy()
    act(*two)
    np.testing.assert_array_equal(first, kept)


def test_a_convolution_is_compiled_without_a_word(key):
    mu = Behavior(Users(convolved, key))
    obs, noise = examples(mu, key)
    np.testing.assert_allclose(acts(mu, obs, noise)(mu)(obs, noise)[0], jitted(mu, obs, noise)[0], atol=1e-5)


def test_an_operation_that_numpy_lacks_falls_back_on_jax_with_one_warning(key):
    mu = Behavior(Users(jnp.sort, key))
    obs, noise = examples(mu, key)
    with pytest.warns(UserWarning, match=r"the policy uses sort.* jitted call") as caught:
        bind = acts(mu, obs, noise)
    assert len(caught) == 1
    moved = eqx.tree_at(lambda m: m.policy.last.bias, mu, jnp.ones(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in (mu, moved):
            got = bind(one)(obs, noise)
            assert all(isinstance(x, np.ndarray) for x in got)
            np.testing.assert_allclose(got[0], jitted(one, obs, noise)[0], atol=1e-5)


def test_whole_numbers_are_operated_on_bit_by_bit(key):
    """`and`, `or` and `not` of integers are those of their bits, as in JAX; of truth values, those of logic."""

    class Bits(eqx.Module):
        def __call__(self, obs):
            n = obs.astype(jnp.int32)
            return Categorical(jnp.concatenate([n[:1] & n[1:2], n[:1] | n[1:2], ~n[2:]]).astype(float))

    mu = Behavior(Bits())
    obs, noise = examples(mu, key, obs=10 * jr.normal(key, (N, 3)))
    act = acts(mu, obs, noise)(mu)
    np.testing.assert_array_equal(act(obs, 0 * noise)[0], jitted(mu, obs, 0 * noise)[0])


def test_what_is_known_before_acting_is_laid_out_by_rows(key):
    """As what it meets is: NumPy then adds in less than half the time."""
    mu = Behavior(policy(VECTORS, key))
    program = lower_policy(mu, *examples(mu, key))
    known = program.constants_for([np.asarray(x) for x in behavior_arrays(mu)])
    met = [x for name, x in known.items() if re.search(rf"\b{name}\b", " ".join(program.per_call))]
    assert len(met) == 5 and all(x.flags.c_contiguous for x in met)  # two matrices, two biases, σ
