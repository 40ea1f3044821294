"""Expectations of estimates by listing every batch there can be: m columns, each drawn from p_μ, with its probability.

What is differentiated is what the library differentiates: the batch that `PolicyGradient` makes, under its objective.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import lax

import logpi
from logpi.objectives.score import score
from logpi.types import State, trainable

PLAIN = logpi.Ascent(optax.sgd, 1.0)


def algorithm(credit, objective=score, **parts):
    """The composition whose estimate is asked for."""
    return logpi.PolicyGradient(credit, objective, PLAIN, collect=logpi.Episodes(), **parts)


def estimate(method, state, tau):
    """ĝ: the gradient of the method's objective on the batch it makes of τ."""
    theta, rest = trainable(state.policy)
    batch = method._batch(state, tau, jax.vmap(jax.vmap(state.policy))(tau.obs))
    return jax.grad(lambda theta: method.objective.evaluate(eqx.combine(theta, rest), batch))(theta).logits


def batches(mdp, mu, m):
    """(all trajectories, the columns of every batch of m, its probability under μ)."""
    tau = mdp.trajectories(mu)
    chance = jnp.exp(mdp.log_probability(mu, tau))
    grids = jnp.meshgrid(*[jnp.arange(chance.size)] * m, indexing="ij")
    columns = jnp.stack([grid.reshape(-1) for grid in grids], axis=-1)
    return tau, columns, jnp.prod(chance[columns], axis=1)


@eqx.filter_jit
def estimates(method, state, tau, columns):
    """ĝ of every batch."""
    one = lambda pick: estimate(method, state, jax.tree.map(lambda x: x[:, pick], tau))
    return lax.map(one, columns, batch_size=256)


def expectation(method, mdp, policy, *, mu=None, critic=None, m=1):
    """E ĝ over batches of m trajectories of μ, by default of the policy itself."""
    tau, columns, chance = batches(mdp, policy if mu is None else mu, m)
    found = estimates(method, State(policy, critic, (), ()), tau, columns)
    return jnp.tensordot(chance, found, 1)
