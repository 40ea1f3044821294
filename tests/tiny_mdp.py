"""A two-state, two-action, three-step MDP whose every trajectory is enumerated, with a softmax table policy.

States 0 and 1 go on, 2 is the end. Each column of `TAU` is one possible episode; `CHANCE` is what the world
contributes to its probability, so p_θ(τ) = CHANCE · Π π_θ(a|s).
"""

import jax
import jax.numpy as jnp
import numpy as np
from helpers import TablePolicy, evaluate, learner, trajectory

from logpi.types import Trajectory

START = np.array([0.6, 0.4], np.float32)
NEXT = np.array([[[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]], [[0.4, 0.4, 0.2], [0.7, 0.1, 0.2]]], np.float32)
REWARD = np.array([[1.0, -0.5], [2.0, 0.3]], np.float32)
HORIZON = 3
LOGITS = jnp.array([[0.3, -0.2], [-0.5, 0.4]])


def _episodes(state, steps=0):
    """Every (chance, [(s, a, s'), …]) from a state on."""
    if state == 2 or steps == HORIZON:
        yield 1.0, []
        return
    for action in (0, 1):
        for after in (0, 1, 2):
            for chance, rest in _episodes(after, steps + 1):
                yield NEXT[state, action, after] * chance, [(state, action, after), *rest]


def _enumerate():
    found = [(START[s] * chance, rows) for s in (0, 1) for chance, rows in _episodes(s)]
    table = np.zeros((3, HORIZON, len(found)), np.int32)
    valid = np.zeros((HORIZON, len(found)), bool)
    for column, (_, rows) in enumerate(found):
        table[:, : len(rows), column] = np.transpose(rows)
        valid[: len(rows), column] = True
    obs, action, after = table
    terminated = valid & (after == 2)
    last = valid & (np.arange(HORIZON) == HORIZON - 1)[:, None]
    known = trajectory(
        np.where(valid, REWARD[obs, action], 0), terminated, last & ~terminated, valid=valid, complete=True
    )
    tau = Trajectory(
        obs=jnp.asarray(obs),
        action=jnp.asarray(action),
        log_prob=log_prob(LOGITS, jnp.asarray(obs), jnp.asarray(action)),
        reward=known.reward,
        next_obs=jnp.asarray(after),
        time=jnp.asarray(np.arange(HORIZON, dtype=np.int32)[:, None] + np.zeros_like(obs)),
        terminated=known.terminated,
        truncated=known.truncated,
        valid=known.valid,
        complete=True,
    )
    return tau, jnp.asarray([chance for chance, _ in found], jnp.float32)


def log_prob(logits, obs, action):
    """log π(a|s) at every row."""
    return jax.vmap(jax.vmap(TablePolicy(logits)))(obs).log_prob(action)


TAU, CHANCE = _enumerate()


def probability(logits):
    """p_θ(τ) of every column."""
    total = jnp.sum(jnp.where(TAU.valid, log_prob(logits, TAU.obs, TAU.action), 0), axis=0)
    return CHANCE * jnp.exp(total)


@jax.jit
def utility(logits, gamma=1.0):
    """J(θ) = E Σ_t γ^t r_t by backward recursion: no trajectory, no score function."""
    value = jnp.zeros(2)
    for _ in range(HORIZON):
        value = jnp.sum(jax.nn.softmax(logits) * action_values(value, gamma), axis=1)
    return START @ value


def action_values(value, gamma):
    """Q(s, a) of a step after which states are worth `value`."""
    return REWARD + gamma * jnp.sum(NEXT[:, :, :2] * value[None, None], axis=-1)


@jax.jit
def expected_gradient(phi):
    """E Σ_t ∇log π(a_t|s_t) Φ_t, every trajectory weighted by its probability."""
    chance = probability(LOGITS)

    def surrogate(logits):
        rows = jnp.where(TAU.valid, log_prob(logits, TAU.obs, TAU.action) * phi, 0)
        return jnp.sum(chance * jnp.sum(rows, axis=0))

    return jax.grad(surrogate)(LOGITS)


def expected_gradient_of(credit, critic=None):
    """The same, Φ by a credit, all trajectories side by side."""
    return expected_gradient(evaluate(credit, TAU, learner(TablePolicy(LOGITS), critic))[0])
