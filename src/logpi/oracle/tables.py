"""Tabular policies and critics, indexed by the observation e_s."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from logpi.distributions.categorical import Categorical


class TablePolicy(eqx.Module):
    """π(·|s) = softmax(logits[s])."""

    logits: Float[Array, "S A"]

    def __call__(self, obs: Float[Array, " S"]) -> Categorical:
        """π(·|e_s)."""
        return Categorical(obs @ self.logits)


class TableCritic(eqx.Module):
    """V(s), one number per state."""

    table: Float[Array, " S"]

    def __call__(self, obs: Float[Array, " S"]) -> Float[Array, ""]:
        """V(e_s)."""
        return obs @ self.table


class TableActionCritic(eqx.Module):
    """Q(s, a), one number per state and action."""

    table: Float[Array, "S A"]

    def __call__(self, obs: Float[Array, " S"], action: Int[Array, ""]) -> Float[Array, ""]:
        """Q(e_s, a)."""
        return (obs @ self.table)[action]


class IgnoresTime(eqx.Module):
    """A network for an MDP, applied to its `time_augmented` version: it ignores time.

    - `network`: takes e_s of S states.
    - `states`: S.
    """

    network: PyTree
    states: int = eqx.field(static=True)

    def __call__(self, obs: Float[Array, " K"]) -> PyTree:
        """Apply the network to e_s for state (t, s); to the zero vector in the final terminal state."""
        return self.network(jnp.sum(obs[:-1].reshape(-1, self.states), axis=0))
