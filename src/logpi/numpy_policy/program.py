"""A policy's computation as lines of NumPy: plain data, which a process without JAX can carry, bind and run."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.core.numpy_trees import tree_leaves

SPECIAL = ("erf", "erfc", "erfinv")  # what lines may call besides NumPy: SciPy's functions of these names
Act = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Program:
    """Straight-line NumPy over named values.

    `early` lines depend on the weights alone and are run when weights are bound; `late` lines are run at each call,
    and `answer` is what they come to: dicts, tuples and lists of names.
    """

    constants: dict[str, np.ndarray]
    weights: tuple[str, ...]
    inputs: tuple[str, ...]
    weights_only: tuple[str, ...]
    per_call: tuple[str, ...]
    outputs: Any

    def bind(self, weights: list[Any]) -> Callable[..., Any]:
        """The function of the inputs that remains once the weights are fixed."""
        return _function(self.source)(*self.constants.values(), *map(np.asarray, weights))

    def constants_for(self, weights: list[Any]) -> dict[str, np.ndarray]:
        """Constants, weights and what depends on them alone, by their names."""
        names = [*self.constants, *self.weights, *(line.partition(" = ")[0] for line in self.weights_only)]
        return Program(self.constants, self.weights, (), self.weights_only, (), {x: x for x in names}).bind(weights)()

    @property
    def source(self) -> str:
        """The text of a function from constants and weights to the function of the inputs."""
        late = [*self.per_call, f"return {format_tree(self.outputs)}"]
        inner = [
            *self.weights_only,
            f"def call({', '.join(self.inputs)}):",
            *[f"    {line}" for line in late],
            "return call",
        ]
        given = ", ".join([*self.constants, *self.weights])
        return "\n".join([f"def bind({given}):", *[f"    {line}" for line in inner]])


def bind_program(program: Program, weights: list[Any]) -> Act:
    """The function (obs[N], noise[N]) ↦ (action[N], what the environment is handed) of a policy's program.

    Observations are dicts, tuples and arrays; of the noise there are only the leaves.
    """
    call = program.bind(weights)
    return lambda obs, noise: call(*tree_leaves(obs), *noise)


def format_tree(tree: Any) -> str:
    """Dicts, tuples and lists of expressions, as Python writes them.

    >>> format_tree({"gear": "r1", "rest": ("r2", "r3")})
    "{'gear': r1, 'rest': (r2, r3, )}"
    """
    match tree:
        case dict():
            return "{" + ", ".join(f"{key!r}: {format_tree(part)}" for key, part in tree.items()) + "}"
        case tuple() | list():
            inner = "".join(f"{format_tree(part)}, " for part in tree)
            return f"({inner})" if isinstance(tree, tuple) else f"[{inner}]"
    return str(tree)


@functools.lru_cache(maxsize=64)
def _function(source: str) -> Callable[..., Callable[..., Any]]:
    names: dict[str, Any] = {"np": np}
    if needed := [name for name in SPECIAL if f" {name}(" in source]:
        import scipy.special

        names |= {name: getattr(scipy.special, name) for name in needed}
    exec(source, names)
    return names["bind"]
