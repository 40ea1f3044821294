"""Networks of finite MDPs: tables read by the observation e_s."""

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
    """V(s), one number a state."""

    table: Float[Array, " S"]

    def __call__(self, obs: Float[Array, " S"]) -> Float[Array, ""]:
        """V(e_s)."""
        return obs @ self.table


class TableActionCritic(eqx.Module):
    """Q(s, a), one number a state and action."""

    table: Float[Array, "S A"]

    def __call__(self, obs: Float[Array, " S"], action: Int[Array, ""]) -> Float[Array, ""]:
        """Q(e_s, a)."""
        return (obs @ self.table)[action]


class IgnoresTime(eqx.Module):
    """A network of a task, on the same task `time_augmented`: it does not look at the clock.

    - `network`: reads e_s of S states.
    - `states`: S.
    """

    network: PyTree
    states: int = eqx.field(static=True)

    def __call__(self, obs: Float[Array, " K"]) -> PyTree:
        """The network's answer in the state s of (t, s); in the one where everything has ended, to no state."""
        return self.network(jnp.sum(obs[:-1].reshape(-1, self.states), axis=0))
