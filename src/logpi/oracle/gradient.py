"""∇U and the Fisher matrix, exact, by differentiating the solution."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.oracle.solve import FiniteMDP, TabularPolicy, log_table, occupancy, utility
from logpi.types import ravel, trainable


@eqx.filter_jit
def gradient(mdp: FiniteMDP, policy: TabularPolicy) -> PyTree:
    """Compute ∇_θ U by reverse-mode differentiation through the linear solve or the recursion, without scores."""
    theta, rest = trainable(_tree(policy))
    return jax.grad(lambda theta: utility(mdp, eqx.combine(theta, rest)))(theta)


@eqx.filter_jit
def fisher(mdp: FiniteMDP, policy: TabularPolicy) -> Float[Array, "P P"]:
    """Compute the Fisher matrix F = Σ_s d(s) Σ_a π(a|s) ∇log π(a|s) ∇log π(a|s)ᵀ / Σ_s d(s).

    θ is flattened by `logpi.types.ravel`.

    Source: Kakade 2001, "A natural policy gradient".
    """
    theta, unravel = ravel(_tree(policy))
    log_pi = log_table(mdp, policy)
    scores = jax.jacrev(lambda vector: log_table(mdp, unravel(vector)))(theta)
    visits = occupancy(mdp, policy)
    visits = visits if visits.ndim == log_pi.ndim - 1 else jnp.sum(visits, axis=0)
    weight = jnp.ravel(jnp.exp(log_pi) * (visits / jnp.sum(visits))[..., None])
    rows = scores.reshape(-1, theta.size)
    return rows.T @ (weight[:, None] * rows)


@eqx.filter_jit
def natural_direction(mdp: FiniteMDP, policy: TabularPolicy) -> Float[Array, " P"]:
    """Compute F⁺ ∇U for the flat θ, F⁺ the pseudo-inverse: the direction of steepest ascent where length is KL.

    For a table of logits it is A(s, a) Σ_s d(s), up to a constant a state.

    Source: Kakade 2001, "A natural policy gradient", theorem 1.
    """
    flat = ravel(gradient(mdp, policy))[0]
    return jnp.linalg.pinv(fisher(mdp, policy), rtol=1e-10) @ flat


def _tree(policy: TabularPolicy) -> PyTree:
    """Convert a table of logits to an array of floats; return a policy unchanged."""
    return policy if callable(policy) else jnp.asarray(policy, float)
