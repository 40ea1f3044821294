"""Ahead-of-time compilation, and the persistent cache of compiled programs.

Calling convention: a compiled program takes and returns flat lists of arrays. Everything else in a tree (functions,
strings, structure) is fixed when the program is lowered, and `Fill` puts the arrays back between the fixed leaves. JAX
would otherwise flatten trees of modules in Python several times per call.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from logpi.errors import LogpiError

PROBE_BYTES = 2**16  # about the size of a small program
Fill = Callable[[Iterable[Any]], PyTree]  # from the arrays of a tree, in order, to the tree


def aot_compile(
    function: Callable[..., tuple[PyTree, PyTree]], *examples: PyTree
) -> Callable[..., tuple[PyTree, PyTree]]:
    """Compile `function` for arguments like `examples`; arguments and its first result may hold functions.

    Leaves that are not arrays are fixed at the values in `examples`. Calls with arrays of other shapes or dtypes raise.

    - `function`: returns two trees; the second holds arrays alone.
    """
    return finish_compile(*lower(function, *examples))


def lower(
    function: Callable[..., tuple[PyTree, PyTree]], *examples: PyTree, donate: bool = False, places: PyTree = None
) -> tuple["Program", Fill]:
    """Trace and lower `function`: (the lowered program, the fill of its first result), for `finish_compile`.

    - `donate`: reuse the memory of the first argument for the first result; the arrays of that argument become invalid.
    - `places`: shardings of the first result, a tree like it; by default the compiler chooses.
    """
    arrays, fill = _split_arrays(examples)
    fills: list[Fill] = []  # written while tracing, since only then the structure of the first result is known

    def inner(*arrays: Array) -> tuple[list[Any], PyTree]:
        first, second = function(*fill(arrays))
        first_arrays, fill_first = _split_arrays(first)
        fills.append(fill_first)
        return first_arrays, second

    if jax.config.values["jax_disable_jit"]:
        return Uncompiled(function), fill
    options: dict[str, Any] = {"donate_argnums": tuple(range(len(_split_arrays(examples[0])[0])))} if donate else {}
    options |= {} if places is None else {"out_shardings": (jax.tree.leaves(places), None)}
    program = jax.jit(inner, **options, compiler_options=compiler_options()).lower(*arrays)
    return program, fills[0]


@dataclass(frozen=True)
class Uncompiled:
    """A function that is called operation by operation, because `jax.disable_jit` asks for it: to debug one's parts."""

    function: Callable[..., tuple[PyTree, PyTree]]

    def __call__(self, *arguments: PyTree) -> tuple[PyTree, PyTree]:
        """Call the function with arrays of JAX, as a compiled program would be."""
        return self.function(
            *jax.tree.map(
                lambda x: jnp.asarray(x) if eqx.is_array(x) or isinstance(x, np.ndarray | np.generic) else x, arguments
            )
        )


Program = jax.stages.Lowered | Uncompiled
"""The result of `lower`: a traced program, or the function itself where nothing is to be compiled."""


def finish_compile(program: Program, fill: Fill) -> Callable[..., tuple[PyTree, PyTree]]:
    """Compile a program from `lower`, and return it as a function of trees."""
    if isinstance(program, Uncompiled):
        return program
    executable = program.compile()

    def call(*arguments: PyTree) -> tuple[PyTree, PyTree]:
        first, second = executable(*filter(eqx.is_array, jax.tree.leaves(arguments)))
        return fill(first), second

    return call


def _split_arrays(tree: PyTree) -> tuple[list[Any], Fill]:
    """Split a tree into its arrays, in order, and the function that rebuilds the tree around other arrays."""
    leaves, structure = jax.tree.flatten(tree)
    arrays = [x for x in leaves if eqx.is_array(x)]
    fixed = [None if eqx.is_array(x) else x for x in leaves]

    def fill(arrays: Iterable[Any]) -> PyTree:
        remaining = iter(arrays)
        return structure.unflatten([next(remaining) if x is None else x for x in fixed])

    return arrays, fill


def compiler_options() -> dict[str, str | bool]:
    """Options of every compilation: on the CPU, independent operations of a program run sequentially.

    Run concurrently, small operations wait for each other's threads (measured on two cores with jaxlib 0.10.2: PPO's
    updates on minibatches of 64 took a fifth to a third longer), memory use grows, and independent loops of one program
    can deadlock (observed; compare openxla/xla issue 33048). A single large matrix product still uses all cores.
    """
    if jax.default_backend() != "cpu":
        return {}
    if jax.__version_info__ < (0, 10):
        return {"xla_cpu_enable_concurrency_optimized_scheduler": False}  # its name before jaxlib 0.10
    return {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}


def require_device() -> None:
    """Raise LogpiError, in one line, where JAX has no device of the kind that it was told to use."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # AssertionError: a platform that JAX knows and finds no card for
        reason = str(error).partition("\n")[0] or "none of that kind is here"
        asked = f"JAX_PLATFORMS is {jax.config.values['jax_platforms']}"
        raise LogpiError(f"JAX finds no device, {asked}: {reason}; JAX_PLATFORMS=cpu always works") from None


def use_persistent_cache() -> None:
    """Cache compiled programs on disk, in $XDG_CACHE_HOME/logpi/xla, unless JAX already has a cache directory.

    Where the directory cannot be written, one warning says so, and programs are compiled anew.
    """
    require_device()
    # JAX warns of each program that it cannot write or read: that is said once, below.
    warnings.filterwarnings("ignore", message="Error (writing|reading) persistent compilation cache entry")
    given = jax.config.values["jax_compilation_cache_dir"]
    try:
        directory = Path(given) if given is not None else _default_cache_directory()
        _check_writable(directory)
    except (OSError, ValueError, RuntimeError) as error:
        jax.config.update("jax_enable_compilation_cache", False)
        reason = getattr(error, "strerror", None) or error
        warnings.warn(f"compiled programs are not cached on disk, and compiled anew each time: {reason}", stacklevel=2)
        return
    if given is None:
        jax.config.update("jax_compilation_cache_dir", str(directory))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _default_cache_directory() -> Path:
    """Return $XDG_CACHE_HOME/logpi/xla. Raises RuntimeError for a user without a home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "logpi" / "xla"


def _check_writable(directory: Path) -> None:
    """Raise OSError unless a file can be written to a directory, which is created; places elsewhere are not tried."""
    if "://" in str(directory):
        return
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(bytes(PROBE_BYTES))
