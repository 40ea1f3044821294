"""Small policies, batches and environments that many tests are made of."""

import dataclasses

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from counting import Counting as Counting
from gymnasium import spaces

from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.vmap import Vmap
from logpi.policies.behavior import Behavior
from logpi.policies.cores.factory import core_factory
from logpi.policies.evaluate import map_rows
from logpi.policies.policy import mlp_policy
from logpi.policies.recurrent import recurrent_policy
from logpi.rollout import device
from logpi.rollout.host import HostRollout
from logpi.rollout.log_probs import scored_trajectory
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.noise import rollout_noise
from logpi.types import Batch, ravel, trainable

SEEN = spaces.Box(-1.0, 1.0, (3,))
CHOICES = spaces.Discrete(3)
VECTORS = spaces.Box(-1.0, 1.0, (2,))


def stirred(tree, key, size=0.5):
    """The tree with θ moved by size · N(0, 1): networks begin too regular to prove much on."""
    flat, unravel = ravel(tree)
    return unravel(flat + size * jr.normal(key, flat.shape))


def policy(actions, key, seen=SEEN, hidden=(8,), size=0.5, **options):
    """A small policy with nothing special about its θ."""
    return stirred(mlp_policy(seen, actions, hidden=hidden, key=key, **options), key, size)


def behavior(environment, key, size=0.1, **options):
    """μ = π_θ for an environment, undecided enough to see much of it."""
    spec = environment.spec
    return Behavior(policy(spec.action_space, key, spec.observation_space, size=size, **options))


def remembering_behavior(environment, core, key, **options):
    """μ = π_θ with a small memory core, whose memory can be seen in what it does."""
    spec, factory = environment.spec, core_factory(core, 8, 6)
    seen, acted = spec.observation_space, spec.action_space
    return Behavior(stirred(recurrent_policy(seen, acted, core=factory, hidden=(8,), key=key, **options), key))


@eqx.filter_jit
def batch(pi, key, shape=(24,)):
    """Rows that π itself acted on, with random credit and targets."""
    k_obs, k_action, k_weight, k_target = jr.split(key, 4)
    obs = jr.normal(k_obs, (*shape, 3))
    old = at(pi, obs, len(shape))
    action = old.sample(k_action)
    weight, target = jr.normal(k_weight, shape), jr.normal(k_target, shape)
    valid, scale = jnp.ones(shape, bool), jnp.float32(obs[..., 0].size)
    return Batch(obs, action, old.log_prob(action), weight, target, valid, old, scale)


def at(function, obs, axes):
    """A function of one observation, evaluated at all of them."""
    return map_rows(function, axes, obs)


def replaced(rows, **fields):
    """The batch or trajectory with these fields in place of its own."""
    return dataclasses.replace(rows, **fields)


@eqx.filter_jit
def gradient(objective, params, rows):
    """∇_θ J, as a tree like the parameters'."""
    theta, rest = trainable(params)
    return jax.grad(lambda theta: objective.evaluate(eqx.combine(theta, rest), rows))(theta)


def bits(tree):
    """Every array of a tree, as bytes: equal if and only if nothing at all has changed."""
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree) if eqx.is_array(x)]


def close(one, other, **tolerance):
    """Assert that two trees are equal within a tolerance, leaf by leaf."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), one, other)


class Walk(eqx.Module):
    """A walk on the line by quarters, from 0 until |x| ≥ 1. It starts the same every time, and floats hold it exactly.

    Rewards are the positions reached. With `continuous`, the move is the action itself, in −½ … ¼.
    """

    continuous: bool = eqx.field(static=True, default=False)

    @property
    def observation_space(self):
        return spaces.Box(-2.0, 2.0, (2,))

    @property
    def action_space(self):
        return spaces.Box(-0.5, 0.25, (1,)) if self.continuous else spaces.Discrete(2)

    def reset(self, key):
        del key
        return jnp.zeros(2), jnp.zeros(2)

    def step(self, key, state, action):
        del key
        move = action[0] if self.continuous else (2 * action - 1).astype(float) / 4
        state = jnp.stack([state[0] + move, move])
        return state, state, state[0], jnp.abs(state[0]) >= 1


class WalkOnHost(gymnasium.Env):
    """The same walk as an ordinary Gymnasium environment."""

    def __init__(self, continuous=False):
        self.observation_space, self.action_space = Walk(continuous).observation_space, Walk(continuous).action_space
        self._continuous = continuous

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._x = np.float32(0)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        move = np.float32(action[0] if self._continuous else (2 * action - 1) / 4)
        self._x = self._x + move
        return np.array([self._x, move], np.float32), float(self._x), bool(abs(self._x) >= 1), False, {}


class Jitter(gymnasium.Env):
    """Observations drawn afresh at every reset and step; actions are kept. Never ends by itself."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)

    def __init__(self, actions=VECTORS):
        self.action_space = actions
        self.seen = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.standard_normal(2), {}

    def step(self, action):
        self.seen.append(action)
        return self.np_random.standard_normal(2), 1.0, False, False, {}


def walks(num_envs, limit, continuous=False):
    """The walk N times, on the device and on the host."""
    on_host = Gymnasium(lambda: WalkOnHost(continuous), num_envs, "walk", limit)
    return Vmap(Walk(continuous), num_envs, limit), on_host


@eqx.filter_jit
def on_device(environment, mu, collect, key):
    """One rollout, from a start of its own."""
    k_begin, k_rollout = jr.split(key)
    carry = device.init_env_state(environment, collect, k_begin)
    memory = () if collect.complete else mu.initial(environment.spec.num_envs)
    return device.rollout(environment, mu, carry, k_rollout, collect, memory)[1]


def on_host(environment, mu, collect, key):
    """The same on the host: the same noise, actions by the lowered actor, scored afterwards by the policy."""
    obs = environment.reset(0)
    noise = jax.device_get(rollout_noise(mu, obs, jr.split(key)[1], collect, environment.spec))
    fields = HostRollout(environment, collect, mu, obs, noise).collect(mu, noise, 0)
    fields = with_next_obs(jax.tree.map(jnp.array, fields))
    num_envs = environment.spec.num_envs
    before = () if collect.complete else mu.initial(num_envs)
    return scored_trajectory(mu, fields, num_envs, collect.complete, before)
