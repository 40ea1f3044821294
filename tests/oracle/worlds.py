"""Small problems, softmax policies and critics on them, and expectations over all their trajectories."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from logpi.distributions.categorical import Categorical
from logpi.oracle import problems
from logpi.oracle.mdp import MDP

GAMMA = 0.9


def ending(horizon=4):
    """Two states that go on, one that ends, and random rewards."""
    transition = [[[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]], [[0.4, 0.4, 0.2], [0.7, 0.1, 0.2]], [[0, 0, 1], [1, 0, 0]]]
    reward = np.random.default_rng(3).normal(size=(3, 2, 3))
    return MDP(transition, reward, [0.6, 0.4, 0.0], GAMMA, horizon, [False, False, True])


def drawn(seed, horizon):
    """Two states that go on and one that ends, everything drawn at random: of one shape, so that one compile serves."""
    rng = np.random.default_rng(seed)
    transition = rng.dirichlet([1.0, 1.0, 0.5], size=(3, 2))
    initial = [*rng.dirichlet([1.0, 1.0]), 0.0]
    return MDP(transition, rng.normal(size=(3, 2, 3)), initial, GAMMA, horizon, [False, False, True])


WORLDS = {
    "two-state": lambda horizon: problems.two_state(GAMMA, horizon),
    "chain": lambda horizon: problems.chain(3, 0.1, GAMMA, horizon),
    "grid": lambda horizon: problems.grid(2, 0.3, GAMMA, horizon and horizon - 1),
    "cliff": lambda horizon: problems.cliff(2, 3, GAMMA, horizon),
    "random": lambda horizon: problems.random(7, 3, 2, GAMMA, horizon and horizon - 1),
    "ending": ending,
}


def table(mdp, seed=0, size=1.0, by_time=False):
    """Logits drawn from N(0, size²)."""
    shape = (mdp.horizon,) * by_time + (mdp.states, mdp.actions)
    return jnp.asarray(size * np.random.default_rng(seed).normal(size=shape), float)


def stationary(mdp):
    """The same without a horizon."""
    return dataclasses.replace(mdp, horizon=None)


class Softmax(eqx.Module):
    """π as one row of logits a state, read by the observation e_s."""

    logits: jax.Array

    def __call__(self, obs):
        return Categorical(obs @ self.logits)


class Worth(eqx.Module):
    """V as one number a state, read by the observation e_s."""

    table: jax.Array

    def __call__(self, obs):
        return obs @ self.table


def numeric(function, theta, step=1e-5):
    """∇f by central differences, one compiled call for all coordinates."""
    directions = jnp.eye(theta.size).reshape(theta.size, *theta.shape)
    slope = lambda e: (function(theta + step * e) - function(theta - step * e)) / (2 * step)
    return jax.jit(jax.vmap(slope))(directions).reshape(theta.shape)
