"""Evaluation of networks on rows: the one place where a policy or critic meets trajectories [T, N] and batches [B].

A network is a function of one raw observation. A function here maps it over the leading axes of rows, as many as
`rows.valid` has; all else in logpi asks for answers at rows and maps nothing itself. A network that remembers is
unrolled over the first axis, which is time, from the rows' memory on; its memory is reset where an episode begins.
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import jax
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from logpi.distributions.point import Point
from logpi.distributions.protocol import Distribution
from logpi.errors import LogpiError
from logpi.policies.memory import RecurrentNetwork, is_recurrent, over_columns, unroll
from logpi.types import Memory

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

    @property
    def begins(self) -> Bool[Array, "*B"] | None:
        """The rows in which an episode begins; None where no network remembers."""
        ...

    @property
    def memory(self) -> Memory:
        """Memories of the networks before the first row, [1, N, ...]."""
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


def evaluate_policy(policy: Callable[..., Distribution], rows: Rows) -> Distribution:
    """Evaluate π_θ(·|s) at every row: one distribution with the rows' axes as batch axes."""
    if is_recurrent(policy):
        return evaluate_with_memory(policy, rows, rows.memory.policy)[0]
    return map_rows(policy, rows.valid.ndim, rows.obs)


def evaluate_critic(critic: Callable[..., Array], rows: Rows) -> Float[Array, "*B"]:
    """Evaluate V_φ(s) at every row."""
    if is_recurrent(critic):
        return evaluate_with_memory(critic, rows, rows.memory.critic)[0]
    return map_rows(critic, rows.valid.ndim, rows.obs)


def evaluate_critic_next(critic: Callable[..., Array], rows: RowsOfTransitions) -> Float[Array, "*B"]:
    """Evaluate V_φ(s') at the true successor of every row; the caller zeroes it where the MDP terminated.

    A critic that remembers takes one more step, from the memory after the row: also where the episode was cut.
    """
    if is_recurrent(critic):
        return _remembered_values(critic, rows)[1]
    return map_rows(critic, rows.valid.ndim, rows.next_obs)


def evaluate_critic_and_next(
    critic: Callable[..., Array], rows: RowsOfTransitions
) -> tuple[Float[Array, "*B"], Float[Array, "*B"]]:
    """Evaluate (V_φ(s), V_φ(s')) at every row; a critic that remembers goes through time once for both."""
    if is_recurrent(critic):
        return _remembered_values(critic, rows)
    return evaluate_critic(critic, rows), evaluate_critic_next(critic, rows)


def _remembered_values(
    critic: RecurrentNetwork, rows: RowsOfTransitions
) -> tuple[Float[Array, "*B"], Float[Array, "*B"]]:
    """Evaluate (V, V of the true successor) of a critic that remembers."""
    value, after = evaluate_with_memory(critic, rows, rows.memory.critic)
    return value, map_rows(critic, rows.valid.ndim, rows.next_obs, after)[0]


def evaluate_action_critic(critic: Callable[[PyTree, PyTree], Array], rows: RowsOfActions) -> Float[Array, "*B"]:
    """Evaluate Q_φ(s, a) at the observation and action of every row."""
    return map_rows(critic, rows.valid.ndim, rows.obs, rows.action)


def evaluate_with_memory(
    network: RecurrentNetwork, rows: Rows, memory: PyTree[Shaped[Array, "1 N ..."]]
) -> tuple[Any, PyTree[Shaped[Array, "T N ..."]]]:
    """Unroll a recurrent network over time-major rows [T, N]: (answers, the memory after each row).

    - `memory`: of this network before the first row, [1, N, ...].

    Raises LogpiError for rows that are not in the order of time, and for rows without memories.
    """
    if rows.valid.ndim != 2 or rows.begins is None:
        raise LogpiError("a network that remembers is evaluated on rows in the order of time, [T, N]; these are not")
    if jax.tree.structure(memory) != jax.tree.structure(jax.eval_shape(network.initial)):
        raise LogpiError(
            "a network that remembers is evaluated on rows that say what it remembers before the first of them, and"
            " these do not: they are another network's, or were collected without memory"
        )
    start = jax.tree.map(lambda h: h[0], memory)
    return over_columns(functools.partial(unroll, network), rows.obs, rows.begins, start)


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
