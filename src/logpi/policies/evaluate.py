"""Evaluation of networks on rows: the one place where a policy or critic meets trajectories [T, N] and batches [B].

A network is a function of one raw observation. A function here maps it over the leading axes of rows, as many as
`rows.valid` has; all else in logpi asks for answers at rows and maps nothing itself.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

import jax
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from logpi.distributions.point import Point
from logpi.distributions.protocol import Distribution

Answer = TypeVar("Answer")


@runtime_checkable
class Rows(Protocol):
    """Observations with leading axes, and `valid`, whose axes are exactly those: a `Trajectory` or a `Batch`."""

    @property
    def obs(self) -> PyTree[Shaped[Array, "..."]]:
        """Raw observations, one a row."""
        ...

    @property
    def valid(self) -> Bool[Array, "*B"]:
        """The rows that count."""
        ...


@runtime_checkable
class RowsOfActions(Rows, Protocol):
    """Rows with the action taken in each."""

    @property
    def action(self) -> PyTree[Shaped[Array, "..."]]:
        """Actions as the policy sampled them."""
        ...


@runtime_checkable
class RowsOfTransitions(Rows, Protocol):
    """Rows with the true successor of each observation: a `Trajectory`."""

    @property
    def next_obs(self) -> PyTree[Shaped[Array, "..."]]:
        """The observation after each action, also where an episode ends."""
        ...


def evaluate_policy(policy: Callable[[PyTree], Distribution], rows: Rows) -> Distribution:
    """Evaluate π_θ(·|s) at the observation of every row: one distribution with the rows' axes as batch axes."""
    return map_rows(policy, rows.valid.ndim, rows.obs)


def evaluate_critic(critic: Callable[[PyTree], Array], rows: Rows) -> Float[Array, "*B"]:
    """Evaluate V_φ(s) at the observation of every row."""
    return map_rows(critic, rows.valid.ndim, rows.obs)


def evaluate_critic_next(critic: Callable[[PyTree], Array], rows: RowsOfTransitions) -> Float[Array, "*B"]:
    """Evaluate V_φ(s') at the true successor of every row; the caller zeroes it where the MDP terminated."""
    return map_rows(critic, rows.valid.ndim, rows.next_obs)


def evaluate_action_critic(critic: Callable[[PyTree, PyTree], Array], rows: RowsOfActions) -> Float[Array, "*B"]:
    """Evaluate Q_φ(s, a) at the observation and action of every row."""
    return map_rows(critic, rows.valid.ndim, rows.obs, rows.action)


def evaluate_behavior(
    mu: Callable[[PyTree], Distribution | Point], obs: PyTree[Shaped[Array, "T N ..."]]
) -> Distribution | Point:
    """Evaluate μ, a function of the observations [N] of all environments, at each of T steps."""
    return map_rows(mu, 1, obs)


def map_rows(network: Callable[..., Answer], axes: int, *inputs: PyTree) -> Answer:
    """Map a function of one row over the leading axes of its inputs.

    - `network`: maps one row of each input to an answer, any PyTree.
    - `axes`: number of leading axes, 0 or more; the answer has them, too.
    """
    function = lambda *row: network(
        *row
    )  # JAX looks for the name of what it maps in str(…), which prints a module whole
    for _ in range(axes):
        function = jax.vmap(function)
    return function(*inputs)


def map_rows_in_chunks(network: Callable[..., Answer], axes: int, chunk: int, *inputs: PyTree) -> Answer:
    """Map a function of one row over the leading axes of its inputs, as `map_rows` does, in bounded memory.

    - `chunk`: number of rows evaluated at the same time, ≥ 1; chunks are evaluated one after the other.
    """
    leading = jax.tree.leaves(inputs)[0].shape[:axes]
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[axes:]), inputs)
    answers = lax.map(lambda row: network(*row), rows, batch_size=chunk)
    return jax.tree.map(lambda x: x.reshape(*leading, *x.shape[1:]), answers)
