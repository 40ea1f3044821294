"""Networks that remember: their contract, and how they are unrolled over the rows of a trajectory.

A memory h is a tree of arrays. A network that remembers is a function of one row, (x, h) ↦ (answer, h'), with the
memory `initial()` that every episode begins with.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, PyTree, Shaped

from logpi.errors import LogpiError

Answer = TypeVar("Answer")


@runtime_checkable
class RecurrentNetwork(Protocol):
    """A network with a memory: a policy, a critic, or a memory core inside of one.

    h' has the structure, shapes and dtypes of h. `logpi.testing.check_policy` checks this contract.
    """

    def initial(self) -> PyTree:
        """Return the memory of an episode that begins, a tree of arrays."""
        ...

    def __call__(self, x: PyTree, memory: PyTree) -> tuple[Any, PyTree]:
        """Compute (answer, next memory) from one row and the memory of the rows before it."""
        ...


@runtime_checkable
class UnrollableNetwork(RecurrentNetwork, Protocol):
    """A recurrent network that computes many rows at once in a faster way than one after the other."""

    def unroll(
        self, x: PyTree[Shaped[Array, "T ..."]], begins: Bool[Array, " T"], memory: PyTree
    ) -> tuple[Any, PyTree[Shaped[Array, "T ..."]]]:
        """Compute (answers [T], the memory after each row [T, ...]), as `unroll` does one row after the other."""
        ...


def is_recurrent(network: object) -> TypeGuard[RecurrentNetwork]:
    """Return True for a network that remembers."""
    return isinstance(network, RecurrentNetwork)


def reset_memory(network: RecurrentNetwork, begins: Bool[Array, ""], memory: PyTree) -> PyTree:
    """Return the memory before one row: the initial one where an episode begins, else the memory given."""
    return jax.tree.map(lambda first, h: jnp.where(begins, first, h), network.initial(), memory)


def unroll(
    network: RecurrentNetwork, x: PyTree[Shaped[Array, "T ..."]], begins: Bool[Array, " T"], memory: PyTree
) -> tuple[Any, PyTree[Shaped[Array, "T ..."]]]:
    """Evaluate a recurrent network on consecutive rows: (answers [T], the memory after each row [T, ...]).

    - `begins`: True in rows in which an episode begins, before which the memory is reset, and by nothing else.
    - `memory`: before the first row.
    """
    if isinstance(network, UnrollableNetwork):
        return network.unroll(x, begins, memory)
    return step_by_step(network, x, begins, memory)


def step_by_step(
    network: RecurrentNetwork, x: PyTree[Shaped[Array, "T ..."]], begins: Bool[Array, " T"], memory: PyTree
) -> tuple[Any, PyTree[Shaped[Array, "T ..."]]]:
    """Unroll a network one row after the other, by its function of one row: the definition of `unroll`."""

    def step(memory: PyTree, row: tuple[PyTree, Array]) -> tuple[PyTree, tuple[Any, PyTree]]:
        answer, memory = network(row[0], reset_memory(network, row[1], memory))
        return memory, (answer, memory)

    return lax.scan(step, memory, (x, begins))[1]


def memory_before(
    after: PyTree[Shaped[Array, "T N ..."]], memory: PyTree[Shaped[Array, "1 N ..."]]
) -> PyTree[Shaped[Array, "T N ..."]]:
    """Shift memories by one row: from those after each row and the one before the first, to those before each row."""
    return jax.tree.map(lambda first, h: jnp.concatenate([first, h[:-1]]), memory, after)


def as_first_row(memory: PyTree[Shaped[Array, "N ..."]], repeats: int = 1) -> PyTree[Shaped[Array, "1 C ..."]]:
    """Lay memories out as the one before the first row of C columns, `repeats` in a row for each environment."""
    return jax.tree.map(lambda h: jnp.tile(h[None], (1, repeats, *[1] * (h.ndim - 1))), memory)


def over_columns(
    function: Callable[[PyTree, Array, PyTree], Answer],
    rows: PyTree[Shaped[Array, "T N ..."]],
    begins: Bool[Array, "T N"],
    memory: PyTree[Shaped[Array, "N ..."]],
) -> Answer:
    """Map a function of one column (rows [T], begins [T], memory) over N columns: answers [T, N, ...]."""
    return jax.vmap(function, in_axes=(1, 1, 0), out_axes=1)(rows, begins, memory)


def require_memoryless(network: object, reader: str) -> None:
    """Raise LogpiError for a network that remembers, where `reader` evaluates it at single observations."""
    if is_recurrent(network):
        raise LogpiError(
            f"{reader} evaluates a network at single observations, and this one remembers; allowed: a memoryless one"
        )


def require_same_memory(network: RecurrentNetwork, x: PyTree, name: str) -> None:
    """Raise LogpiError for a network whose next memory has another structure, shape or dtype than the one before.

    - `x`: an example of a row, or its shapes.
    - `name`: of the network, for the message.
    """
    kinds = lambda tree: jax.tree.map(lambda leaf: f"{jnp.dtype(leaf.dtype).name}{list(leaf.shape)}", tree)
    before = jax.eval_shape(network.initial)
    after = jax.eval_shape(lambda x, h: network(x, h)[1], x, before)
    if kinds(before) != kinds(after):
        raise LogpiError(
            f"the memory of {name} is {kinds(before)} before a step and {kinds(after)} after it; allowed: a memory that"
            " keeps its structure, shapes and dtypes"
        )
