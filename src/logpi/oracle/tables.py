"""Tabular policies and critics, indexed by the observation e_s or by the history of observations."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from logpi.distributions.categorical import Categorical
from logpi.oracle.histories import Histories


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


class HistoryTable(eqx.Module):
    """π(·|o_0 … o_t) = softmax(logits[t, i]), i the index of the observations among the histories of a POMDP.

    The memory is (t, index of o_0 … o_{t−1}). Any policy is such a table, as far as the histories go.

    - `logits`: one row of A for each history.
    - `child`: index of o_0 … o_t, o among the histories of time t + 1, as in `Histories`.
    - `first`: index of o among those of time 0.
    """

    logits: Float[Array, "H W A"]
    child: Int[Array, "H W O"]
    first: Int[Array, " O"]

    @classmethod
    def of(cls, tree: Histories, logits: Float[Array, "H W A"]) -> "HistoryTable":
        """Make the table of the histories of a POMDP."""
        first = jnp.zeros(tree.child.shape[-1], jnp.int32)
        roots = tree.exists[0].nonzero()[0]
        first = first.at[tree.observation[0, roots]].set(jnp.asarray(roots, jnp.int32))
        return cls(logits, jnp.asarray(tree.child), first)

    def initial(self) -> tuple[Int[Array, ""], Int[Array, ""]]:
        """Return the memory of an episode that begins: time 0, no observation."""
        return jnp.int32(0), jnp.int32(0)

    def __call__(
        self, obs: Float[Array, " O"], memory: tuple[Int[Array, ""], Int[Array, ""]]
    ) -> tuple[Categorical, tuple[Int[Array, ""], Int[Array, ""]]]:
        """Extend the observations by one: (e_o, h) → (π(·|o_0 … o_t), h')."""
        time, before = memory
        o = jnp.argmax(obs)
        here = jnp.where(time == 0, self.first[o], self.child[time - 1, before, o])
        return Categorical(self.logits[time, here]), (time + 1, here)


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
