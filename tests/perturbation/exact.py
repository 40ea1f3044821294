"""Estimates from exact utilities, and from rollouts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from builders import bits
from oracle.worlds import GAMMA, WORLDS, Softmax, table

from logpi.core.collection import Episodes
from logpi.environments.tasks.tabular import Tabular
from logpi.environments.vmap import Vmap
from logpi.perturbation.differences import central_differences
from logpi.perturbation.zeroth_order import ZerothOrder
from logpi.policies.behavior import sampled
from logpi.rollout import device
from logpi.types import ravel
from logpi.updates.ascent import Ascent

NAMES = ["two-state", "chain", "grid", "cliff", "random", "ending"]
PLAIN = Ascent(optax.sgd, 1.0)  # θ' − θ is then ĝ itself


def world(name, horizon=4):
    """(an MDP, its U for rows of flat logits, such a row)."""
    mdp = WORLDS[name](horizon)
    theta = table(mdp).ravel()
    return mdp, lambda rows: utilities(mdp, rows), theta


def utilities(mdp, rows):
    """U of each row of flat logits; one program for up to 160 rows."""
    padded = jnp.zeros((max(160, len(rows)), rows.shape[1])).at[: len(rows)].set(rows)
    return _utilities(mdp, padded)[: len(rows)]


@eqx.filter_jit
def _utilities(mdp, rows):
    return jax.vmap(lambda row: mdp.utility(row.reshape(mdp.states, mdp.actions)))(rows)


def from_function(estimator, function, theta, pairing=central_differences, number=None, key=None):
    """(ĝ, its variance, figures) where U is a function of rows, as many directions as coordinates unless told."""
    number, key = number or theta.size, jr.key(0) if key is None else key
    estimator = jax.tree.map(jnp.asarray, estimator)
    layout = pairing(2 * number if pairing is central_differences else number + 1)
    members, moved = _tried(estimator, theta, layout, number, key)
    returns = function(members)[None]
    return _estimated(estimator, moved, returns[:, layout.plus], returns[:, layout.minus], layout.separation)


@eqx.filter_jit
def _tried(estimator, theta, layout, number, key):
    moves = estimator.directions(key, theta.size, jnp.arange(number))
    members = theta[None] + jnp.asarray(layout.offset, theta.dtype)[:, None] * moves[layout.row]
    return members, estimator.keep((members[layout.plus] - members[layout.minus]) / layout.separation)


@eqx.filter_jit
def _estimated(estimator, kept, plus, minus, span):
    return estimator(kept, plus, minus, span)


def zeroth_order(estimator, members, episodes=1, group=2, **parts):
    """A method on finite problems: the stochastic policy's discounted U, and plain ascent with rate 1."""
    collect = Episodes(episodes_per_env=episodes, group=group)
    return ZerothOrder(estimator, PLAIN, members, acting=sampled, gamma=GAMMA, collect=collect, **parts)


def problem(name, members, horizon=4):
    """(the MDP, N copies of it on the device, a softmax policy)."""
    mdp = WORLDS[name](horizon)
    return mdp, Vmap(Tabular(mdp), members, horizon, name), Softmax(table(mdp))


@eqx.filter_jit
def iterated(algorithm, environment, state, key):
    """(state', figures) after one rollout by μ on the device."""
    k_mu, k_rollout, k_learn = jr.split(key, 3)
    mu = algorithm.behavior(state, k_mu)
    tau = device.rollout(environment, mu, (), k_rollout, algorithm.collect)[1]
    return algorithm.learn(state, mu, tau, k_learn)


def step(old, new):
    """θ' − θ."""
    return ravel(new.policy)[0] - ravel(old.policy)[0]


def same(old, new):
    """Whether two policies are equal bit for bit."""
    return bits(old.policy) == bits(new.policy)


@eqx.filter_jit
def repeated(algorithm, environment, state, keys):
    """ĝ and figures of one iteration from the same state, once a key: [R, P] and [R]."""

    def one(key):
        new, info = iterated(algorithm, environment, state, key)
        return step(state, new), info

    return jax.lax.map(one, keys)
