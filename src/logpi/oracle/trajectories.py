"""Trajectory probabilities p_π(τ), and enumeration of all trajectories."""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from logpi.errors import LogpiError
from logpi.oracle.solve import FiniteMDP, TabularPolicy, log_table
from logpi.types import Trajectory

Rows = list[tuple[int, int, int]]


@eqx.filter_jit
def log_probability(mdp: FiniteMDP, policy: TabularPolicy, tau: Trajectory) -> Float[Array, " N"]:
    """log p_π(τ) = log ρ0(s_0) + Σ_t log P(s_{t+1}|s_t, a_t) + Σ_t log π(a_t|s_t), for whole episodes of the MDP."""
    state, after = _states(tau.obs), _states(tau.next_obs)
    chance = jnp.where(tau.valid, mdp.transition[state, tau.action, after], 1)
    return jnp.log(mdp.initial[state[0]]) + jnp.sum(jnp.log(chance), axis=0) + log_actions(mdp, policy, tau)


@eqx.filter_jit
def log_actions(mdp: FiniteMDP, policy: TabularPolicy, tau: Trajectory) -> Float[Array, " N"]:
    """Compute Σ_t log π(a_t|s_t), the part of log p_π(τ) that depends on θ: ∇log p_π(τ) needs no model.

    Source: Williams 1992; Liu's notes, "Likelihood ratio".
    """
    log_pi, state = log_table(mdp, policy), _states(tau.obs)
    index = (state, tau.action) if log_pi.ndim == 2 else (tau.time, state, tau.action)
    return jnp.sum(jnp.where(tau.valid, log_pi[index], 0), axis=0)


def importance_ratio(
    mdp: FiniteMDP, target: TabularPolicy, behavior: TabularPolicy, tau: Trajectory
) -> Float[Array, " N"]:
    """Compute p_π(τ) / p_μ(τ) = Π_t π(a_t|s_t) / μ(a_t|s_t) of each trajectory; the model cancels.

    With it, E_μ[p_π(τ) / p_μ(τ) R(τ)] = E_π[R(τ)].

    - `target`, `behavior`: π and μ, as `MDP` takes policies.

    Source: Kahn and Harris 1951; Precup, Sutton and Singh 2000.
    """
    return jnp.exp(log_actions(mdp, target, tau) - log_actions(mdp, behavior, tau))


def enumerated(mdp: FiniteMDP, policy: TabularPolicy, at_most: int = 100_000) -> Trajectory:
    """Enumerate all trajectories of positive probability as episodes [H, M], one per column, padded at the end.

    `log_prob` is log π(a|s). Raises LogpiError without a horizon, or for more than `at_most` trajectories.
    """
    if mdp.horizon is None:
        raise LogpiError("trajectories can be enumerated only with a horizon: MDP(…, horizon=H)")
    number = count(mdp)
    if number > at_most:
        raise LogpiError(f"the MDP has {number} trajectories; allowed: at most {at_most}, or a larger at_most")
    table = np.zeros((3, mdp.horizon, number), np.int32)
    length = np.zeros(number, np.int32)
    for column, rows in enumerate(_all(mdp)):
        table[:, : len(rows), column], length[column] = np.transpose(rows), len(rows)
    return _trajectory(mdp, policy, jnp.asarray(table), jnp.asarray(length))


def count(mdp: FiniteMDP) -> int:
    """Count the trajectories of positive probability, Σ_s [ρ0(s) > 0] n_H(s), without enumerating them."""
    assert mdp.horizon is not None
    alive, follows = _graph(mdp)
    paths = np.ones(mdp.states, object)
    for _ in range(mdp.horizon):
        paths = np.where(alive, follows.sum(axis=1).astype(object) @ paths, 1)
    return int(paths[np.asarray(mdp.initial) > 0].sum())


def _graph(mdp: FiniteMDP) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks of non-terminal states [S] and of possible transitions [S, A, S]."""
    return ~np.asarray(mdp.terminal), np.asarray(mdp.transition) > 0


def _all(mdp: FiniteMDP) -> Iterator[Rows]:
    """Yield every list of (s, a, s') from a start to an end."""
    alive, follows = _graph(mdp)

    def continuations(state: int, steps: int) -> Iterator[Rows]:
        if not alive[state] or steps == mdp.horizon:
            yield []
            return
        for action, after in np.argwhere(follows[state]).tolist():
            for rest in continuations(after, steps + 1):
                yield [(state, action, after), *rest]

    for start in np.flatnonzero(np.asarray(mdp.initial) > 0).tolist():
        yield from continuations(start, 0)


@eqx.filter_jit
def _trajectory(
    mdp: FiniteMDP, policy: TabularPolicy, table: Int[Array, "3 H M"], length: Int[Array, " M"]
) -> Trajectory:
    """Convert columns of (s, a, s') to a `Trajectory`."""
    state, action, after = table
    time = jnp.broadcast_to(jnp.arange(mdp.horizon, dtype=jnp.int32)[:, None], state.shape)
    valid, log_pi = time < length[None], log_table(mdp, policy)
    index = (state, action) if log_pi.ndim == 2 else (time, state, action)
    return Trajectory(
        obs=jax.nn.one_hot(state, mdp.states),
        action=action,
        log_prob=log_pi[index],
        reward=jnp.where(valid, mdp.reward[state, action, after], 0),
        next_obs=jax.nn.one_hot(after, mdp.states),
        time=time,
        terminated=time == length[None] - 1,
        truncated=jnp.zeros(state.shape, bool),
        valid=valid,
        complete=True,
    )


def _states(obs: Float[Array, "T N S"]) -> Array:
    """State indices of one-hot observations."""
    return jnp.argmax(obs, axis=-1).astype(jnp.int32)
