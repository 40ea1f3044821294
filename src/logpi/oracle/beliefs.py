"""Beliefs b(s) = P(s_t = s | all observations and actions so far), their update, and the optimal value of a belief."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from logpi.errors import LogpiError
from logpi.oracle.checks import as_table, check_belief
from logpi.oracle.histories import FinitePOMDP, enumerate_histories
from logpi.oracle.optimal import NEVER
from logpi.oracle.solve import live_dynamics
from logpi.oracle.tables import HistoryTable

AT_MOST = 100_000  # beliefs at one time, unless more are allowed
DIGITS = 12  # beliefs that agree in so many decimals are one
NONE = -1  # in place of an index


class HistoryOptimum(NamedTuple):
    """An optimal policy of a POMDP, and its utility."""

    policy: HistoryTable
    utility: Float[Array, ""]


def first_belief(pomdp: FinitePOMDP, observation: ArrayLike) -> tuple[Float[Array, " S"], Float[Array, ""]]:
    """Compute (b_0, P(o_0)) from the first observation, b_0(s) ∝ ρ0(s) Z_0(o_0|s)."""
    return _normalized(pomdp.initial * pomdp.first_observation[:, observation])


def next_belief(
    pomdp: FinitePOMDP, belief: Float[Array, " S"], action: ArrayLike, observation: ArrayLike
) -> tuple[Float[Array, " S"], Float[Array, ""]]:
    """Compute (b', P(o, not ended|b, a)), b'(s') ∝ Z(o|a, s') Σ_s b(s) P(s'|s, a) over states that are not terminal.

    b' is zero everywhere if o cannot follow. Source: Kaelbling, Littman and Cassandra 1998, § 3.3.
    """
    moved = belief @ live_dynamics(pomdp)[1][:, action]
    return _normalized(moved * pomdp.observation[action, :, observation])


def belief(pomdp: FinitePOMDP, actions: Sequence[int], observations: Sequence[int]) -> Float[Array, " S"]:
    """Compute the belief after o_0, a_0, o_1 … a_{t−1}, o_t. Raises LogpiError unless there is one more observation."""
    if len(observations) != len(actions) + 1:
        raise LogpiError(
            f"there are {len(observations)} observations and {len(actions)} actions; allowed: one observation more,"
            " since the first precedes every action"
        )
    b, _ = first_belief(pomdp, observations[0])
    for action, observation in zip(actions, observations[1:], strict=True):
        b, _ = next_belief(pomdp, b, action, observation)
    return b


def _normalized(joint: Float[Array, " S"]) -> tuple[Float[Array, " S"], Float[Array, ""]]:
    """Divide P(s, o) by P(o), unless that is 0."""
    total = jnp.sum(joint)
    return joint / jnp.where(total > 0, total, 1), total


def optimal_value(pomdp: FinitePOMDP, belief: object, steps: int, at_most: int = AT_MOST) -> float:
    """Compute V*(b) for so many steps to go, in double precision. Raises LogpiError for what is no belief."""
    start = as_table("belief", belief)
    check_belief(start, pomdp.states)
    levels = _reachable(pomdp, start[None], steps, at_most)
    return float(_solved(pomdp, levels)[0].value[0])


def optimal(pomdp: FinitePOMDP, at_most: int = AT_MOST) -> HistoryOptimum:
    """Compute an optimal policy as a `HistoryTable`, uniform where it never comes, and its utility.

    The best action is a function of the belief; the policy's own actions being functions of its observations, so is
    the belief, and the policy needs to remember nothing else.
    """
    tree = enumerate_histories(pomdp)
    joint = np.asarray(pomdp.first_observation, float).T * np.asarray(pomdp.initial, float)
    chance = joint.sum(axis=-1)
    begins = np.flatnonzero(chance)
    levels = _reachable(pomdp, joint[begins] / chance[begins, None], len(tree.exists), at_most)
    first = np.full(pomdp.observations, NONE)
    first[begins] = levels[0].place
    solutions = _solved(pomdp, levels)
    logits = np.zeros((*tree.exists.shape, pomdp.actions))
    place = np.where(tree.exists[0], first[tree.observation[0]], NONE)  # of each history's belief; NONE: π never comes
    for t, (level, solution) in enumerate(zip(levels, solutions, strict=True)):
        best = np.eye(pomdp.actions, dtype=bool)[solution.action[place]]
        logits[t] = np.where((place == NONE)[:, None] | best, 0, NEVER)
        if t + 1 < len(levels):
            before = place[tree.parent[t + 1]]
            after = level.following[before, solution.action[before], tree.observation[t + 1]]
            place = np.where(tree.exists[t + 1] & (before != NONE), after, NONE)
    utility = chance[begins] @ solutions[0].value[levels[0].place]
    return HistoryOptimum(HistoryTable.of(tree, jnp.asarray(logits, float)), jnp.asarray(utility, float))


class _Level(NamedTuple):
    """The different beliefs that can be reached at one time."""

    beliefs: Float[np.ndarray, "K S"]
    place: Int[np.ndarray, " J"]  # among them, of the beliefs that they were listed from
    chance: Float[np.ndarray, "K A O"]  # P(o, not ended | b, a)
    following: Int[np.ndarray, "K A O"]  # index of b' among the beliefs of the time after; NONE where o cannot follow


class _Solution(NamedTuple):
    """V*(b) and the best action of the beliefs of one time."""

    value: Float[np.ndarray, " K"]
    action: Int[np.ndarray, " K"]


def _reachable(pomdp: FinitePOMDP, start: Float[np.ndarray, "J S"], steps: int, at_most: int) -> list[_Level]:
    """List the beliefs that any actions lead to from those given, for each of so many steps."""
    transition, shows = np.asarray(live_dynamics(pomdp)[1], float), np.asarray(pomdp.observation, float)
    shows = shows.swapaxes(1, 2)
    levels = []
    for _ in range(steps):
        _, kept, place = np.unique(np.round(start, DIGITS), axis=0, return_index=True, return_inverse=True)
        beliefs = start[kept]
        if len(beliefs) > at_most:
            raise LogpiError(
                f"the POMDP has {len(beliefs)} beliefs after {len(levels)} of {steps} steps; allowed: at most"
                f" {at_most}, or a larger at_most"
            )
        joint = np.tensordot(beliefs, transition, axes=1)[:, :, None] * shows  # [K, A, O, S]
        chance = joint.sum(axis=-1)
        follows = chance > 0
        following = np.full(chance.shape, NONE)
        following[follows] = np.arange(follows.sum())
        levels.append(_Level(beliefs, place.reshape(-1), chance, following))
        start = joint[follows] / chance[follows][:, None]
    for level, after in pairwise(levels):
        known = level.following != NONE
        level.following[known] = after.place[level.following[known]]
    return levels


def _solved(pomdp: FinitePOMDP, levels: list[_Level]) -> list[_Solution]:
    """Compute V_t(b) = max_a r(b, a) + γ Σ_o P(o|b, a) V_{t+1}(b'), backward from 0."""
    reward, gamma = np.asarray(live_dynamics(pomdp)[0], float), float(pomdp.gamma)
    solutions, after = [], np.zeros(1)
    for level in reversed(levels):
        is_last = not solutions
        later = 0 if is_last else np.where(level.following != NONE, after[level.following], 0)
        q = level.beliefs @ reward + gamma * (level.chance * later).sum(axis=-1)
        after = q.max(axis=-1)
        solutions.append(_Solution(after, q.argmax(axis=-1)))
    return solutions[::-1]
