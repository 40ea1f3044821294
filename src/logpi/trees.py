"""Loops and choices over trees that may hold functions beside arrays."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, PyTree

from logpi.schedules import Linear


def scan(body: Callable[[PyTree, Any], tuple[PyTree, PyTree]], carry: PyTree, xs: PyTree) -> tuple[PyTree, PyTree]:
    """`jax.lax.scan` in which only the arrays of the carry change; whatever else it holds stays as it is."""
    arrays, static = eqx.partition(carry, eqx.is_array)

    def inner(arrays: PyTree, x: Any) -> tuple[PyTree, PyTree]:
        new, out = body(eqx.combine(arrays, static), x)
        return eqx.filter(new, eqx.is_array), out

    arrays, outs = lax.scan(inner, arrays, xs)
    return eqx.combine(arrays, static), outs


def compiled(function: Callable[..., tuple[PyTree, PyTree]], *examples: Any) -> Callable[..., tuple[PyTree, PyTree]]:
    """`function` compiled ahead for arguments like the examples; arguments and its first result may hold functions.

    What is not an array is fixed at the examples' value. A call with arrays of other shapes or dtypes is an error.
    """
    return ready(*lowered(function, *examples))


def lowered(
    function: Callable[..., tuple[PyTree, PyTree]], *examples: Any, donate: bool = False, places: Any = None
) -> tuple[jax.stages.Lowered, PyTree]:
    """`compiled` half way: (`function` traced, what of its first result is not an array), for `ready` to compile.

    With `donate`, the first argument's memory becomes the first result's: the arrays of that argument are then gone.
    `places` are the shardings of that result, where they matter.
    """
    arrays, fixed = eqx.partition(examples, eqx.is_array)
    static: list[PyTree] = []

    def inner(*arrays: PyTree) -> tuple[PyTree, PyTree]:
        first, second = function(*eqx.combine(arrays, fixed))
        static.append(eqx.filter(first, eqx.is_array, inverse=True))
        return eqx.filter(first, eqx.is_array), second

    given: dict[str, Any] = {"donate_argnums": (0,)} if donate else {}
    given |= {} if places is None else {"out_shardings": (places, None)}
    program = jax.jit(inner, **given, compiler_options=compiler_options()).lower(*arrays)
    return program, static[0]


def ready(program: jax.stages.Lowered, static: PyTree) -> Callable[..., tuple[PyTree, PyTree]]:
    """Compile what `lowered` gave."""
    executable = program.compile()

    def call(*arguments: Any) -> tuple[PyTree, PyTree]:
        first, second = executable(*eqx.filter(arguments, eqx.is_array))
        return eqx.combine(first, static), second

    return call


def copied(tree: PyTree) -> PyTree:
    """The tree in new arrays, no two of them the same."""
    arrays, static = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.tree.map(jnp.array, arrays), static)


def compiler_options() -> dict[str, str | bool]:
    """How programs are compiled here: on the CPU, what does not depend on each other still runs in order.

    Side by side, the small pieces of a step wait for each other's threads (measured on two cores with jaxlib 0.10.2:
    PPO's learning in minibatches of 64 took a fifth to a third longer), need more memory, and independent loops of one
    program can wait for ever (seen there; compare openxla/xla issue 33048). A large product still uses all cores.
    """
    if jax.default_backend() != "cpu":
        return {}
    if jax.__version_info__ < (0, 10):
        return {"xla_cpu_enable_concurrency_optimized_scheduler": False}  # the name of the option until then
    return {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}


def select(condition: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """The arrays of `yes` where the condition holds, else those of `no`."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b) if eqx.is_array(a) else a, yes, no)


def resolve(tree: PyTree, progress: Any) -> PyTree:
    """The tree with every schedule in it replaced by its value at `progress`."""
    schedule = lambda leaf: isinstance(leaf, Linear)
    return jax.tree.map(lambda leaf: leaf.at(progress) if schedule(leaf) else leaf, tree, is_leaf=schedule)
