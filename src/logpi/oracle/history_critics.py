"""Critics of a POMDP that see the history, the state or only an observation, and the exact bias that each brings.

A baseline C(h, s) of whatever the action does not depend on is unbiased: E[C(h_t, s_t) ∇log π(a_t|h_t)] = 0. A critic
that is bootstrapped from, as by GAE with λ < 1, is unbiased only where E[r + γ C(h', s') | h, a] = Q(h, a): V(h, s) is,
V(o) is not where the state is hidden, and V(s) is not where the policy remembers.

Source: Baisero and Amato 2022, "Unbiased asymmetric reinforcement learning under partial observability".
"""

from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PyTree

from logpi.errors import LogpiError
from logpi.oracle.histories import (
    FinitePOMDP,
    Histories,
    HistoryPolicy,
    enumerate_histories,
    expected_return,
    state_values,
    visits,
)
from logpi.oracle.solve import TabularPolicy
from logpi.types import trainable

HistoryCritic: TypeAlias = Float[Array, "H W"] | Float[Array, "H W S"]
"""C(h), or C(h, s), in the order of the POMDP's `histories()`."""


def observation_value(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy) -> Float[Array, "H W"]:
    """Compute V(o) = E[Σ_{l≥t} γ^{l−t} r_l | o_t = o] over all times, at the last observation of each history.

    It is the least-squares fit of a critic of the observation alone, where visits at time t count γ^t.
    """
    tree = enumerate_histories(pomdp)
    return _observation_value(pomdp, policy, tree)


@eqx.filter_jit
def _observation_value(
    pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories
) -> Float[Array, "H W"]:
    weight, value = visits(pomdp, policy, tree).weight, state_values(pomdp, policy, tree)[0]
    observation = jnp.asarray(tree.observation)
    sums = jnp.zeros((2, pomdp.observations)).at[:, observation].add(jnp.sum(jnp.stack([weight, weight * value]), -1))
    mean = sums[1] / jnp.where(sums[0] > 0, sums[0], 1)
    return jnp.where(jnp.asarray(tree.exists), mean[observation], 0)


def hidden_state_value(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy) -> Float[Array, "H W S"]:
    """Compute V(s) = E[Σ_{l≥t} γ^{l−t} r_l | s_t = s] over all times, for each history.

    It is the least-squares fit of a critic of the state alone, where visits at time t count γ^t.
    """
    tree = enumerate_histories(pomdp)
    return _hidden_state_value(pomdp, policy, tree)


@eqx.filter_jit
def _hidden_state_value(
    pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories
) -> Float[Array, "H W S"]:
    weight, value = visits(pomdp, policy, tree).weight, state_values(pomdp, policy, tree)[0]
    total = jnp.sum(weight, axis=(0, 1))
    mean = jnp.sum(weight * value, axis=(0, 1)) / jnp.where(total > 0, total, 1)
    return jnp.where(jnp.asarray(tree.exists)[..., None], mean[None, None], 0)


def expected_gae_gradient(
    pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, critic: HistoryCritic, gae_lambda: float = 0.0
) -> PyTree:
    """Compute E Σ_t γ^t ∇log π(a_t|h_t) Σ_l (γλ)^l δ_{t+l}, δ_t = r_t + γ C(h_{t+1}, s_{t+1}) − C(h_t, s_t).

    - `critic`: C, worth 0 after the end.
    - `gae_lambda`: λ ∈ [0, 1]; 0 for the TD residual, 1 for the return less C as a baseline, which has no bias.

    Returns a tree like the trainable part of the policy. Raises LogpiError for a critic of another shape.
    """
    tree = enumerate_histories(pomdp)
    shape = (*tree.exists.shape, pomdp.states)
    if critic.shape not in (shape, shape[:2]):
        raise LogpiError(f"the critic has shape {critic.shape}; allowed: {shape[:2]}, or {shape}")
    table = critic if critic.ndim == 3 else jnp.broadcast_to(critic[..., None], shape)
    return _expected_gae_gradient(pomdp, policy, tree, table, jnp.asarray(gae_lambda, float))


@eqx.filter_jit
def _expected_gae_gradient(
    pomdp: FinitePOMDP,
    policy: HistoryPolicy | TabularPolicy,
    tree: Histories,
    critic: Float[Array, "H W S"],
    gae_lambda: Float[Array, ""],
) -> PyTree:
    theta, rest = trainable(policy if callable(policy) else jnp.asarray(policy, float))
    log_pi, weight = visits(pomdp, policy, tree)
    pi = jnp.exp(log_pi)

    def backward(after: tuple[Array, Array], level: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        """From C and E[A|h, s] of the time after to those of this one, and A(h, s, a)."""
        next_critic, next_advantage = after
        pi, child, continues, critic = level
        gain = expected_return(pomdp, next_critic + gae_lambda * next_advantage, child, continues)
        advantage = gain - critic[..., None]
        return (critic, jnp.einsum("na,nsa->ns", pi, advantage)), advantage

    levels = (pi, jnp.asarray(tree.child), jnp.asarray(tree.continues), critic)
    zero = jnp.zeros_like(critic[0])
    advantage = lax.scan(backward, (zero, zero), levels, reverse=True)[1]
    credit = jnp.einsum("tns,tnsa->tna", weight, advantage) * pi
    surrogate = lambda theta: jnp.sum(credit * visits(pomdp, eqx.combine(theta, rest), tree).log_pi)
    return jax.grad(surrogate)(theta)


def critic_bias(
    pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, critic: HistoryCritic, gae_lambda: float = 0.0
) -> PyTree:
    """Compute the bias that a critic brings: `expected_gae_gradient` − ∇U, as a tree like the policy's θ."""
    # With λ = 1 every critic is a baseline, and the expected gradient is ∇U.
    unbiased = expected_gae_gradient(pomdp, policy, jnp.zeros_like(critic), 1.0)
    return jax.tree.map(jnp.subtract, expected_gae_gradient(pomdp, policy, critic, gae_lambda), unbiased)
