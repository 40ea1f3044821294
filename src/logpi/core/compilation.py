"""Programs compiled ahead of time, and the cache that keeps them between processes."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

Fill = Callable[[Iterable[Any]], PyTree]  # from arrays to a tree that holds them


def aot_compile(function: Callable[..., tuple[PyTree, PyTree]], *examples: Any) -> Callable[..., tuple[PyTree, PyTree]]:
    """`function` compiled ahead for arguments like the examples; arguments and its first result may hold functions.

    What is not an array is fixed at the examples' value. A call with arrays of other shapes or dtypes is an error.
    """
    return finish_compile(*lower(function, *examples))


def lower(
    function: Callable[..., tuple[PyTree, PyTree]], *examples: Any, donate: bool = False, places: Any = None
) -> tuple[jax.stages.Lowered, Fill]:
    """`compiled` half way: (`function` traced, the form of its first result), for `ready` to compile.

    With `donate`, the first argument's memory becomes the first result's: the arrays of that argument are then gone.
    `places` are the shardings of that result, where they matter.
    """
    arrays, fill = _split_arrays(examples)
    form: list[Fill] = []

    def inner(*arrays: Any) -> tuple[list[Any], PyTree]:
        first, second = function(*fill(arrays))
        made, fill_first = _split_arrays(first)
        form.append(fill_first)
        return made, second

    given: dict[str, Any] = {"donate_argnums": tuple(range(len(_split_arrays(examples[0])[0])))} if donate else {}
    given |= {} if places is None else {"out_shardings": (jax.tree.leaves(places), None)}
    program = jax.jit(inner, **given, compiler_options=compiler_options()).lower(*arrays)
    return program, form[0]


def finish_compile(program: jax.stages.Lowered, form: Fill) -> Callable[..., tuple[PyTree, PyTree]]:
    """Compile what `lowered` gave."""
    executable = program.compile()

    def call(*arguments: Any) -> tuple[PyTree, PyTree]:
        first, second = executable(*filter(eqx.is_array, jax.tree.leaves(arguments)))
        return form(first), second

    return call


def _split_arrays(tree: PyTree) -> tuple[list[Any], Fill]:
    """The arrays of a tree, and the function that puts others in their places.

    A call takes arrays alone, in a list: trees of modules would be walked by Python several times.
    """
    leaves, structure = jax.tree.flatten(tree)
    arrays = [x for x in leaves if eqx.is_array(x)]
    fixed = [None if eqx.is_array(x) else x for x in leaves]

    def fill(arrays: Iterable[Any]) -> PyTree:
        each = iter(arrays)
        return structure.unflatten([next(each) if x is None else x for x in fixed])

    return arrays, fill


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


def use_persistent_cache() -> None:
    """Keep compiled programs in the user's cache, unless a cache has been chosen already."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        jax.config.update("jax_compilation_cache_dir", str(Path(home) / "logpi" / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
