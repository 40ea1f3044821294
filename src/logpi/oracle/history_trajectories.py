"""Trajectories of a POMDP as a policy sees them, observations, actions and rewards: all of them, and p_π(τ)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree

from logpi.errors import LogpiError
from logpi.oracle.histories import FinitePOMDP, HistoryPolicy, initial_memories, log_probs, with_memory
from logpi.oracle.solve import TabularPolicy
from logpi.types import Trajectory


class _Level(NamedTuple):
    """The rows (a, r, o') of one time, each after one of the time before."""

    before: Int[np.ndarray, " K"]  # index of the row before; of the first observation, at time 0
    action: Int[np.ndarray, " K"]
    reward: Float[np.ndarray, " K"]
    after: Int[np.ndarray, " K"]  # o'
    ended: Bool[np.ndarray, " K"]


def enumerated(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, at_most: int = 100_000) -> Trajectory:
    """Enumerate all trajectories of positive probability as episodes [H, M], one per column, padded at the end.

    Paths of hidden states that look the same are one trajectory. `log_prob` is log π(a | o_0 … o_t). Raises LogpiError
    without a horizon, or for more than `at_most` trajectories.
    """
    if pomdp.horizon is None:
        raise LogpiError("trajectories can be enumerated only with a horizon: POMDP(…, horizon=H)")
    first, levels = _levels(pomdp, at_most)
    if levels is None:
        raise LogpiError(
            f"the POMDP has more than {at_most} trajectories; allowed: at most {at_most}, or a larger at_most"
        )
    tau = _laid_out(pomdp, first, levels)
    return eqx.tree_at(lambda tau: tau.log_prob, tau, _action_log_probs(pomdp, policy, tau))


def count(pomdp: FinitePOMDP, at_most: int) -> int | None:
    """Count the trajectories of positive probability; None where there are more than `at_most`."""
    levels = _levels(pomdp, at_most)[1]
    return None if levels is None else _columns(levels)


def _columns(levels: list[_Level]) -> int:
    return sum(int(level.ended.sum()) for level in levels)


def _levels(pomdp: FinitePOMDP, at_most: int) -> tuple[Int[np.ndarray, " K"], list[_Level] | None]:
    """List first observations and the rows of every time; None where there are more than `at_most` trajectories."""
    assert pomdp.horizon is not None
    chance = np.asarray(pomdp.initial, float)[:, None] * np.asarray(pomdp.first_observation, float)
    first = np.flatnonzero(chance.sum(axis=0))
    possible = chance.T[first] > 0  # states that may lie behind each row
    levels: list[_Level] = []
    for time in range(pomdp.horizon):
        rows, behind = [], []
        for outcome, moves in _outcomes(pomdp, time + 1 == pomdp.horizon):
            after = possible @ moves
            before = np.flatnonzero(after.any(axis=1))
            rows.append(_Level(before, *(np.full(len(before), x) for x in outcome)))
            behind.append(np.where(outcome[-1], False, after[before]))  # nothing follows an end
        levels.append(_Level(*map(np.concatenate, zip(*rows, strict=True))))
        possible = np.concatenate(behind)
        if _columns(levels) + int((~levels[-1].ended).sum()) > at_most:
            return first, None
        if levels[-1].ended.all():
            break
    return first, levels


def _outcomes(pomdp: FinitePOMDP, last: bool) -> list[tuple[tuple[int, float, int, bool], Bool[np.ndarray, "S S"]]]:
    """List what may follow a state: (a, r, o', whether the episode ended), with the mask of (s, s') that show it.

    - `last`: whether this is the horizon's last step, at which every episode ends.
    """
    terminal, reward = np.asarray(pomdp.terminal), np.asarray(pomdp.reward)
    follows = (np.asarray(pomdp.transition) > 0) & ~terminal[:, None, None]
    shows = np.asarray(pomdp.observation) > 0
    outcomes = []
    for action in range(pomdp.actions):
        for pay in np.unique(reward[:, action][follows[:, action]]):
            paid = follows[:, action] & (reward[:, action] == pay)
            for o in range(pomdp.observations):
                seen = paid & shows[action, :, o]
                for ended in (True,) if last else (False, True):
                    moves = seen if last else seen & (terminal == ended)
                    if moves.any():
                        outcomes.append(((action, float(pay), o, ended), moves))
    return outcomes


def _laid_out(pomdp: FinitePOMDP, first: Int[np.ndarray, " K"], levels: list[_Level]) -> Trajectory:
    """Lay the trajectories out as columns, by following each from its last row back."""
    assert pomdp.horizon is not None
    shape = (pomdp.horizon, _columns(levels))
    obs, after, action = np.zeros((3, *shape), np.int32)
    reward, length = np.zeros(shape), np.zeros(shape[1], np.int32)
    start = 0
    for end, level in enumerate(levels):
        place = np.flatnonzero(level.ended)
        columns = np.arange(start, start + len(place))
        start, length[columns] = start + len(place), end + 1
        for t in range(end, -1, -1):
            now = levels[t]
            action[t, columns], reward[t, columns], after[t, columns] = (
                x[place] for x in (now.action, now.reward, now.after)
            )
            place = now.before[place]
            obs[t, columns] = levels[t - 1].after[place] if t else first[place]
    time = np.broadcast_to(np.arange(shape[0], dtype=np.int32)[:, None], shape)
    one_hot = lambda x: jax.nn.one_hot(x, pomdp.observations)
    return Trajectory(
        obs=one_hot(obs),
        action=jnp.asarray(action),
        log_prob=jnp.zeros(shape),
        reward=jnp.asarray(reward, float),
        next_obs=one_hot(after),
        time=jnp.asarray(time),
        terminated=jnp.asarray(time == length - 1),
        truncated=jnp.zeros(shape, bool),
        valid=jnp.asarray(time < length),
        complete=True,
    )


@eqx.filter_jit
def _action_log_probs(
    pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tau: Trajectory
) -> Float[Array, "T N"]:
    """log π(a_t | o_0 … o_t) in every row of whole episodes."""
    network = with_memory(policy)

    def forward(memory: PyTree, row: tuple[Array, Array]) -> tuple[PyTree, Array]:
        obs, action = row
        log_pi, memory = log_probs(network, obs, memory, pomdp.actions)
        return memory, jnp.take_along_axis(log_pi, action[:, None], axis=1)[:, 0]

    return lax.scan(forward, initial_memories(network, tau.reward.shape[1]), (tau.obs, tau.action))[1]


@eqx.filter_jit
def log_probability(pomdp: FinitePOMDP, policy: HistoryPolicy | TabularPolicy, tau: Trajectory) -> Float[Array, " N"]:
    """Compute log p_π(τ) = Σ_t log π(a_t | o_0 … o_t) + log P(o_0, r_0, o_1 … | a_0, a_1 …), of whole episodes.

    The second part sums over the hidden states, forward in time.
    """
    observation, following = (jnp.argmax(obs, axis=-1) for obs in (tau.obs, tau.next_obs))
    at_horizon = jnp.full_like(tau.valid, False) if pomdp.horizon is None else tau.time == pomdp.horizon - 1

    def forward(weight: Float[Array, "N S"], row: tuple[Array, ...]) -> tuple[Array, Array]:
        action, reward, o, terminated, at_horizon, valid = row
        paid = pomdp.reward[:, action] == reward[None, :, None]
        moves = jnp.where(paid, pomdp.transition[:, action], 0)
        fits = (pomdp.terminal[None] == terminated[:, None]) | at_horizon[:, None]
        after = jnp.where(fits, jnp.einsum("ns,snp->np", weight, moves) * pomdp.observation[action, :, o], 0)
        total = jnp.sum(after, axis=-1)
        after = after / jnp.where(total > 0, total, 1)[:, None]
        return jnp.where(valid[:, None], after, weight), jnp.where(valid, jnp.log(total), 0)

    joint = pomdp.initial[None] * pomdp.first_observation[:, observation[0]].T
    total = jnp.sum(joint, axis=-1)
    rows = (tau.action, tau.reward, following, tau.terminated, at_horizon, tau.valid)
    model = jnp.log(total) + jnp.sum(lax.scan(forward, joint / total[:, None], rows)[1], axis=0)
    return model + jnp.sum(jnp.where(tau.valid, _action_log_probs(pomdp, policy, tau), 0), axis=0)
