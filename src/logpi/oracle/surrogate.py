"""The surrogate L of a step between two policies, and how far the true gain of utility can be from it."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.distributions.categorical import Categorical
from logpi.oracle.mdp import MDP
from logpi.oracle.solve import log_table


def performance_difference(mdp: MDP, old: PyTree, new: PyTree) -> Float[Array, ""]:
    """Compute Σ_s d_new(s) Σ_a π_new(a|s) A_old(s, a), which equals U(π_new) − U(π_old).

    - `mdp`: with or without a horizon.
    - `old`, `new`: policies, as `MDP` takes them.

    Source: Kakade and Langford 2002, lemma 6.1.
    """
    return jnp.sum(mdp.occupancy(new) * _expected_advantage(mdp, old, new))


def surrogate(mdp: MDP, old: PyTree, new: PyTree) -> Float[Array, ""]:
    """Compute L = Σ_s d_old(s) Σ_a π_new(a|s) A_old(s, a): the predicted gain, with the states that π_old visits.

    L and U(π_new) − U(π_old) have the same value, 0, and the same gradient at π_new = π_old.

    Source: Schulman et al. 2015 (TRPO), eq. (3).
    """
    return jnp.sum(mdp.occupancy(old) * _expected_advantage(mdp, old, new))


def mean_kl(mdp: MDP, old: PyTree, new: PyTree) -> Float[Array, ""]:
    """Compute E_{s∼d_old} KL(π_old(·|s)‖π_new(·|s)) in nats, d_old the occupancy normalized to sum 1."""
    visits = mdp.occupancy(old)  # by time too, where there is a horizon
    kl = Categorical(log_table(mdp, old)).kl(Categorical(log_table(mdp, new)))
    return jnp.einsum("...i,...i->", visits, kl) / jnp.sum(visits)


def surrogate_error_bound(mdp: MDP, old: PyTree, new: PyTree) -> Float[Array, ""]:
    """Compute C √(E_{s∼d_old} KL(π_old‖π_new)), the largest |U(π_new) − U(π_old) − L| that the mean KL allows.

    C = √2 γ/(1 − γ) · max_s |Σ_a π_new(a|s) A_old(s, a)| · Σ_s d_old(s). For γ < 1 and no horizon.

    Source: Achiam et al. 2017, corollary 2; there d sums to 1, here to Σ_t γ^t P(not ended), hence the last factor.
    """
    largest = jnp.max(jnp.abs(_expected_advantage(mdp, old, new)))
    constant = jnp.sqrt(2.0) * mdp.gamma / (1 - mdp.gamma) * largest * jnp.sum(mdp.occupancy(old))
    return constant * jnp.sqrt(mean_kl(mdp, old, new))


def _expected_advantage(mdp: MDP, old: PyTree, new: PyTree) -> Float[Array, "*H S"]:
    """Σ_a π_new(a|s) A_old(s, a) of every state."""
    return jnp.einsum("...ij,...ij->...i", jnp.exp(log_table(mdp, new)), mdp.advantage(old))
