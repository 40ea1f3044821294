"""Optimal policies by dynamic programming."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from logpi.oracle.solve import FiniteMDP, live_dynamics, of_table, utility

NEVER = -1e4  # logit of an action with probability exactly 0
ROUNDS = 1000  # safety limit: policy iteration converges far earlier, but rounding could make it cycle


class Optimum(NamedTuple):
    """An optimal policy as logits [S, A], with a horizon [H, S, A], and its utility."""

    policy: Float[Array, "*H S A"]
    utility: Float[Array, ""]


@eqx.filter_jit
def optimal(mdp: FiniteMDP) -> Optimum:
    """Compute an optimal policy: policy iteration, or with a horizon V_t = max_a Q_t(s, a) backward from V_H = 0.

    Policy iteration changes a row only if some action improves on it, so a state where all actions have equal value
    keeps the uniform distribution of the start. Source: Puterman 1994, §§ 4.5 and 6.4.
    """
    pi = _iterated(mdp) if mdp.horizon is None else _backward(mdp)
    logits = jnp.where(pi > 0, jnp.log(jnp.maximum(pi, 1e-30)), NEVER)
    return Optimum(logits, utility(mdp, logits))


def _iterated(mdp: FiniteMDP) -> Float[Array, "S A"]:
    """Run policy iteration from the uniform policy until no action improves."""

    def improve(loop: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        pi, _, count = loop
        value, q = of_table(mdp, pi)
        slack = 64 * jnp.finfo(q.dtype).eps * jnp.maximum(1, jnp.max(jnp.abs(q)))
        better = jnp.max(q, axis=-1) > value + slack
        return jnp.where(better[:, None], _greedy(q), pi), jnp.any(better), count + 1

    uniform = jnp.full((mdp.states, mdp.actions), 1 / mdp.actions)
    improving = lambda loop: loop[1] & (loop[2] < ROUNDS)
    return lax.while_loop(improving, improve, (uniform, jnp.asarray(True), jnp.int32(0)))[0]


def _backward(mdp: FiniteMDP) -> Float[Array, "H S A"]:
    """Run backward induction over the horizon."""
    reward, transition = live_dynamics(mdp)

    def back(after: Array, _: None) -> tuple[Array, Array]:
        q = reward + mdp.gamma * jnp.einsum("ijk,k->ij", transition, after)
        return jnp.max(q, axis=-1), _greedy(q)

    return lax.scan(back, jnp.zeros(mdp.states), None, mdp.horizon, reverse=True)[1]


def _greedy(q: Float[Array, "S A"]) -> Float[Array, "S A"]:
    """One-hot argmax of Q in every state."""
    return jax.nn.one_hot(jnp.argmax(q, axis=-1), q.shape[-1])
