"""V, Q, U and occupancy: linear solves for an infinite horizon, recursions over time for a finite one."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float

from logpi.distributions.categorical import Categorical
from logpi.errors import LogpiError
from logpi.policies.evaluate import map_rows

TabularPolicy: TypeAlias = Callable[..., Categorical] | ArrayLike | Sequence[Any]
"""A table of logits [S, A] or [H, S, A], or a callable from one observation e_s to a `Categorical`."""


@runtime_checkable
class FiniteMDP(Protocol):
    """The tables of a finite MDP, as `MDP` holds them."""

    transition: Float[Array, "S A S"]
    reward: Float[Array, "S A S"]
    initial: Float[Array, " S"]
    gamma: Float[Array, ""]
    terminal: Bool[Array, " S"]
    horizon: int | None

    @property
    def states(self) -> int:
        """S."""
        ...

    @property
    def actions(self) -> int:
        """A."""
        ...


def log_table(mdp: FiniteMDP, policy: TabularPolicy) -> Float[Array, "*H S A"]:
    """Tabulate log π(a|s), from a table of logits or by calling the policy at the observations e_s; [H, S, A] by time.

    Raises LogpiError for a table of another shape, or a policy whose distributions are not categorical.
    """
    if callable(policy):
        pi = map_rows(policy, 1, jnp.eye(mdp.states))
        if not isinstance(pi, Categorical):
            raise LogpiError(f"the policy returns {type(pi).__name__}; allowed: Categorical")
        logits = pi.logits
    else:
        logits = jnp.asarray(policy, float)
    shape = (mdp.states, mdp.actions)
    if logits.shape != shape and logits.shape != (mdp.horizon, *shape):
        by_time = "" if mdp.horizon is None else f" or {(mdp.horizon, *shape)}"
        raise LogpiError(f"the policy's logits have shape {logits.shape}; allowed: {shape}{by_time}")
    return jax.nn.log_softmax(logits)


def live_dynamics(mdp: FiniteMDP) -> tuple[Float[Array, "S A"], Float[Array, "S A S"]]:
    """Compute r(s, a) and P(s'|s, a) restricted to non-terminal states; all other entries are 0."""
    alive = (~mdp.terminal).astype(mdp.transition.dtype)
    reward = jnp.sum(mdp.transition * mdp.reward, axis=-1) * alive[:, None]
    return reward, mdp.transition * alive[:, None, None] * alive[None, None, :]


@eqx.filter_jit
def values(mdp: FiniteMDP, policy: TabularPolicy) -> tuple[Float[Array, "*H S"], Float[Array, "*H S A"]]:
    """Compute (V, Q) of a policy."""
    return of_table(mdp, jnp.exp(log_table(mdp, policy)))


def of_table(mdp: FiniteMDP, pi: Float[Array, "*K S A"]) -> tuple[Float[Array, "*H S"], Float[Array, "*H S A"]]:
    """Compute (V, Q) of a table of probabilities π(a|s).

    V = (I − γ P_π)⁻¹ r_π, or V_t = Σ_a π_t Q_t backward from V_H = 0; Q = r + γ P V.
    """
    reward, transition = live_dynamics(mdp)
    action_value = lambda value: reward + mdp.gamma * jnp.einsum("ijk,k->ij", transition, value)
    if mdp.horizon is None:
        flow, gain = jnp.einsum("ij,ijk->ik", pi, transition), jnp.sum(pi * reward, axis=-1)
        value = jnp.linalg.solve(jnp.eye(mdp.states) - mdp.gamma * flow, gain)
        return value, action_value(value)

    def back(after: Array, now: Array) -> tuple[Array, tuple[Array, Array]]:
        q = action_value(after)
        value = jnp.sum(now * q, axis=-1)
        return value, (value, q)

    by_time = jnp.broadcast_to(pi, (mdp.horizon, *pi.shape[-2:]))
    return lax.scan(back, jnp.zeros(mdp.states), by_time, reverse=True)[1]


@eqx.filter_jit
def utility(mdp: FiniteMDP, policy: TabularPolicy) -> Float[Array, ""]:
    """Compute U = Σ_s ρ0(s) V(s), with V at time 0."""
    value = values(mdp, policy)[0]
    return jnp.sum(mdp.initial * (value if mdp.horizon is None else value[0]))


@eqx.filter_jit
def occupancy(mdp: FiniteMDP, policy: TabularPolicy) -> Float[Array, "*H S"]:
    """Compute d = (I − γ P_πᵀ)⁻¹ ρ0, or d_{t+1} = γ P_πᵀ d_t forward from d_0 = ρ0; 0 in terminal states."""
    pi = jnp.exp(log_table(mdp, policy))
    flow = mdp.gamma * jnp.einsum("...ij,ijk->...ki", pi, live_dynamics(mdp)[1])
    if mdp.horizon is None:
        return jnp.linalg.solve(jnp.eye(mdp.states) - flow, mdp.initial)
    by_time = jnp.broadcast_to(flow, (mdp.horizon, *flow.shape[-2:]))
    return lax.scan(lambda d, step: (step @ d, d), mdp.initial, by_time)[1]
