"""U, ∇U, V, Q and Fisher of policies with memory, exact, by enumeration of the sequences of observations.

A policy's memory after o_0 … o_t is a function of these alone, so the actions in between can be summed over: there are
O^t sequences to visit instead of (O·A)^t, and only those that are possible are kept.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree

from logpi.distributions.categorical import Categorical
from logpi.errors import LogpiError
from logpi.oracle.solve import FiniteMDP, TabularPolicy, live_dynamics
from logpi.policies.evaluate import map_rows
from logpi.types import ravel, trainable

AT_MOST = 100_000  # sequences that are enumerated unless more are allowed


@runtime_checkable
class FinitePOMDP(FiniteMDP, Protocol):
    """The tables of a finite POMDP, as `POMDP` holds them."""

    observation: Float[Array, "A S O"]
    first_observation: Float[Array, "S O"]

    @property
    def observations(self) -> int:
        """O."""
        ...


@runtime_checkable
class HistoryPolicy(Protocol):
    """A policy with memory h, over the unit vectors of observations."""

    def initial(self) -> PyTree:
        """h at an episode's start."""
        ...

    def __call__(self, obs: Float[Array, " O"], memory: PyTree) -> tuple[object, PyTree]:
        """(e_o, h) → (π(·|e_o, h), h')."""
        ...


class Memoryless(eqx.Module):
    """A policy without memory in the place of one with it.

    - `policy`: a table of logits [O, A], or a callable from e_o to a `Categorical`.
    """

    policy: PyTree

    def initial(self) -> tuple[()]:
        """No memory."""
        return ()

    def __call__(self, obs: Float[Array, " O"], memory: tuple[()]) -> tuple[object, tuple[()]]:
        """π(·|e_o)."""
        return (self.policy(obs) if callable(self.policy) else Categorical(obs @ self.policy)), memory


class Histories(NamedTuple):
    """The sequences o_0 … o_t that are possible: W of them for each t < H, in the order of their observations.

    W is the largest number of any t; `exists` tells which are there. Each extends one of the time before.

    - `exists`: bool [H, W].
    - `observation`: o_t, int [H, W].
    - `parent`: index of o_0 … o_{t−1} among those of the time before, int [H, W].
    - `child`: index of o_0 … o_t, o among those of the time after, int [H, W, O]; 0 where there is none.
    - `continues`: where there is one, bool [H, W, O].
    """

    exists: Bool[np.ndarray, "H W"]
    observation: Int[np.ndarray, "H W"]
    parent: Int[np.ndarray, "H W"]
    child: Int[np.ndarray, "H W O"]
    continues: Bool[np.ndarray, "H W O"]

    def find(self, *observations: int) -> tuple[int, int]:
        """Find the sequence o_0 … o_t: (t, its index). Raises LogpiError for one that is not there."""
        place = 0
        for time, o in enumerate(observations):
            found = () if time >= len(self.exists) else self._extensions(time, place, o)
            if len(found) == 0:
                raise LogpiError(f"the observations {observations[: time + 1]} are not possible in this order")
            place = int(found[0])
        return len(observations) - 1, place

    def _extensions(self, time: int, place: int, o: int) -> Int[np.ndarray, " K"]:
        """The sequences of a time that extend one of the time before by o, of which there is at most one."""
        return np.flatnonzero(self.exists[time] & (self.observation[time] == o) & (self.parent[time] == place))


def enumerate_histories(pomdp: FinitePOMDP, at_most: int = AT_MOST) -> Histories:
    """List the sequences of observations that have a positive probability under some policy, for each time.

    Raises LogpiError without a horizon, or for more than `at_most` sequences.
    """
    if pomdp.horizon is None:
        raise LogpiError("histories can be enumerated only with a horizon: POMDP(…, horizon=H)")
    alive = ~np.asarray(pomdp.terminal)
    follows = (np.asarray(pomdp.transition) > 0) & alive[:, None, None] & alive
    shows, starts = np.asarray(pomdp.observation) > 0, np.asarray(pomdp.first_observation) > 0
    # Which states s' may lie behind which o after which s, by any action.
    step = np.einsum("sap,apo->sop", follows.astype(int), shows.astype(int)) > 0
    levels, total = [], 0
    possible = starts.T & (np.asarray(pomdp.initial) > 0)  # states that may lie behind each sequence
    observation, parent = np.arange(pomdp.observations), np.zeros(pomdp.observations, int)
    for _ in range(pomdp.horizon):
        kept = possible.any(axis=-1)
        possible, observation, parent = possible[kept], observation[kept], parent[kept]
        levels.append((observation, parent))
        if (total := total + len(observation)) > at_most:
            raise LogpiError(
                f"the POMDP has more than {at_most} sequences of observations in {len(levels)} of {pomdp.horizon}"
                " steps; allowed: at most so many, or a larger at_most"
            )
        parent = np.repeat(np.arange(len(observation)), pomdp.observations)
        observation = np.tile(np.arange(pomdp.observations), len(observation))
        possible = (np.einsum("ns,sop->nop", possible.astype(int), step.astype(int)) > 0).reshape(-1, pomdp.states)
    return _padded(levels, pomdp.observations)


def _padded(levels: list[tuple[np.ndarray, np.ndarray]], observations: int) -> Histories:
    """Lay the levels out as arrays of equal width."""
    shape = (len(levels), max(len(observation) for observation, _ in levels))
    exists, continues = np.zeros(shape, bool), np.zeros((*shape, observations), bool)
    observation, parent = np.zeros((2, *shape), np.int32)
    child = np.zeros(continues.shape, np.int32)
    for t, (shown, before) in enumerate(levels):
        count = len(shown)
        exists[t, :count], observation[t, :count], parent[t, :count] = True, shown, before
        if t > 0:
            child[t - 1, before, shown], continues[t - 1, before, shown] = np.arange(count), True
    return Histories(exists, observation, parent, child, continues)


def with_memory(policy: HistoryPolicy | TabularPolicy) -> HistoryPolicy:
    """Give a policy with memory as it is, and one without it as a `HistoryPolicy`."""
    if isinstance(policy, HistoryPolicy):
        return policy
    return Memoryless(policy if callable(policy) else jnp.asarray(policy, float))


class Visits(NamedTuple):
    """A policy along all histories.

    - `log_pi`: log π(a | o_0 … o_t).
    - `weight`: γ^t P(o_0 … o_t, s_t = s, not ended).
    """

    log_pi: Float[Array, "H W A"]
    weight: Float[Array, "H W S"]


def visits(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories) -> Visits:
    """Unroll a policy along all histories, forward in time."""
    policy = with_memory(policy)
    _, transition = live_dynamics(pomdp)
    width = tree.exists.shape[1]
    joint = pomdp.initial[:, None] * pomdp.first_observation
    start = jnp.where(jnp.asarray(tree.exists[0])[:, None], joint.T[tree.observation[0]], 0)
    memory = initial_memories(policy, width)

    def forward(carry: tuple[Array, PyTree], level: tuple[Array, ...]) -> tuple[tuple[Array, PyTree], Visits]:
        weight, memory = carry
        observation, next_exists, next_observation, parent = level
        log_pi, memory = log_probs(policy, jax.nn.one_hot(observation, pomdp.observations), memory, pomdp.actions)
        moved = jnp.einsum("ns,sap->nap", weight, transition) * jnp.exp(log_pi)[..., None]
        arrived = pomdp.gamma * jnp.einsum("nap,apo->nop", moved, pomdp.observation)
        after = jnp.where(next_exists[:, None], arrived[parent, next_observation], 0)
        return (after, jax.tree.map(lambda x: x[parent], memory)), Visits(log_pi, weight)

    following = lambda x: jnp.roll(jnp.asarray(x), -1, axis=0)  # after the last level comes nothing that is used
    levels = (jnp.asarray(tree.observation), *map(following, (tree.exists, tree.observation, tree.parent)))
    return lax.scan(forward, (start, memory), levels)[1]


def log_probs(
    policy: HistoryPolicy, obs: Float[Array, "W O"], memory: PyTree, actions: int
) -> tuple[Float[Array, "W A"], PyTree]:
    """Compute (log π(·|e_o, h), h') in several rows.

    Raises LogpiError for distributions that are not categorical, or of another number of actions.
    """
    pi, memory = map_rows(policy, 1, obs, memory)
    if not isinstance(pi, Categorical):
        raise LogpiError(f"the policy returns {type(pi).__name__}; allowed: Categorical")
    if pi.logits.shape != (len(obs), actions):
        raise LogpiError(f"the policy's logits have shape {pi.logits.shape[1:]}; allowed: {(actions,)}")
    return jax.nn.log_softmax(pi.logits), memory


def initial_memories(policy: HistoryPolicy, rows: int) -> PyTree:
    """Give the memory of an episode that begins, in several rows."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (rows, *jnp.shape(x))), policy.initial())


@eqx.filter_jit
def utility(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories) -> Float[Array, ""]:
    """Compute U = Σ_t Σ_h Σ_s γ^t P(h, s_t = s) Σ_a π(a|h) r(s, a)."""
    log_pi, weight = visits(pomdp, policy, tree)
    return jnp.einsum("tns,tna,sa->", weight, jnp.exp(log_pi), live_dynamics(pomdp)[0])


@eqx.filter_jit
def gradient(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories) -> PyTree:
    """Compute ∇_θ U by reverse-mode differentiation through the recursion, without scores."""
    theta, rest = trainable(policy if callable(policy) else jnp.asarray(policy, float))
    return jax.grad(lambda theta: utility(pomdp, eqx.combine(theta, rest), tree))(theta)


@eqx.filter_jit
def occupancy(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories) -> Float[Array, "H W S"]:
    """Compute d(h, s) = γ^t P(h, s_t = s, not ended)."""
    return visits(pomdp, policy, tree).weight


@eqx.filter_jit
def state_values(
    pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories
) -> tuple[Float[Array, "H W S"], Float[Array, "H W S A"]]:
    """Compute (V(h, s), Q(h, s, a)), backward in time."""
    pi = jnp.exp(visits(pomdp, policy, tree).log_pi)

    def backward(after: Array, level: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        pi, child, continues = level
        q = expected_return(pomdp, after, child, continues)
        value = jnp.einsum("na,nsa->ns", pi, q)
        return value, (value, q)

    zero = jnp.zeros((tree.exists.shape[1], pomdp.states))
    levels = (pi, jnp.asarray(tree.child), jnp.asarray(tree.continues))
    return lax.scan(backward, zero, levels, reverse=True)[1]


def expected_return(
    pomdp: FinitePOMDP, after: Float[Array, "W S"], child: Int[Array, "W O"], continues: Bool[Array, "W O"]
) -> Float[Array, "W S A"]:
    """Compute E[r + γ C(h', s') | h, s, a], where C is worth 0 after the end.

    - `after`: C of the histories of the time after.
    - `child`, `continues`: of the histories h, as in `Histories`.
    """
    reward, transition = live_dynamics(pomdp)
    next_value = jnp.where(continues[..., None], after[child], 0)
    return reward[None] + pomdp.gamma * jnp.einsum("sap,apo,nop->nsa", transition, pomdp.observation, next_value)


@eqx.filter_jit
def value(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories) -> Float[Array, "H W"]:
    """Compute V(h) = Σ_s P(s_t = s | h) V(h, s); 0 where h has probability 0."""
    weight = visits(pomdp, policy, tree).weight
    return weighted_mean(weight, state_values(pomdp, policy, tree)[0])


def weighted_mean(weight: Float[Array, "*B S"], x: Float[Array, "*B S"]) -> Float[Array, "*B"]:
    """Average over the last axis; 0 where all weights are 0."""
    total = jnp.sum(weight, axis=-1)
    return jnp.sum(weight * x, axis=-1) / jnp.where(total > 0, total, 1)


@eqx.filter_jit
def fisher(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tree: Histories) -> Float[Array, "P P"]:
    """Compute F = Σ_h d(h) Σ_a π(a|h) ∇log π(a|h) ∇log π(a|h)ᵀ / Σ_h d(h), θ flattened by `logpi.types.ravel`."""
    theta, unravel = ravel(policy if callable(policy) else jnp.asarray(policy, float))
    log_pi, weight = visits(pomdp, policy, tree)
    scores = jax.jacrev(lambda vector: visits(pomdp, unravel(vector), tree).log_pi)(theta)
    d = jnp.sum(weight, axis=-1)
    rows, share = scores.reshape(-1, theta.size), jnp.ravel(jnp.exp(log_pi) * (d / jnp.sum(d))[..., None])
    return rows.T @ (share[:, None] * rows)
