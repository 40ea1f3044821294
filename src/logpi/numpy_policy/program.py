"""Programs: a policy as lines of NumPy, plain data that a process without JAX can receive, bind and run."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.core.numpy_trees import HostTree, tree_leaves

SPECIAL = ("erf", "erfc", "erfinv")  # functions of scipy.special that lines may call besides NumPy
Act = Callable[[HostTree, Sequence[np.ndarray]], tuple[HostTree, ...]]
"""(seen[B], noise leaves [B, ...]) ↦ (action[B], env_action[B]), of one block.

What is seen are the observations; a policy that remembers sees (observations, memory), and answers with a third tree,
the next memory."""


@dataclass(frozen=True)
class Program:
    """Straight-line NumPy program over named arrays.

    - `constants`: arrays by name.
    - `weights`, `inputs`: names of the arguments of `bind`, and of the function it returns.
    - `weights_only`: lines that depend on weights alone, run when weights are bound.
    - `per_call`: lines that are run per call.
    - `outputs`: result of a call: dicts, tuples and lists of names.
    """

    constants: dict[str, np.ndarray]
    weights: tuple[str, ...]
    inputs: tuple[str, ...]
    weights_only: tuple[str, ...]
    per_call: tuple[str, ...]
    outputs: Any

    def bind(self, weights: list[Any]) -> Callable[..., Any]:
        """Return the function of the inputs for these weights."""
        return _function(self.source)(*self.constants.values(), *map(np.asarray, weights))

    def constants_for(self, weights: list[Any]) -> dict[str, np.ndarray]:
        """Return constants, weights, and the results of the lines that depend on these alone, by name."""
        names = [*self.constants, *self.weights, *(line.partition(" = ")[0] for line in self.weights_only)]
        return Program(self.constants, self.weights, (), self.weights_only, (), {x: x for x in names}).bind(weights)()

    @property
    def source(self) -> str:
        """Source of a function from constants and weights to the function of the inputs."""
        call = [*self.per_call, f"return {format_tree(self.outputs)}"]
        body = [
            *self.weights_only,
            f"def call({', '.join(self.inputs)}):",
            *[f"    {line}" for line in call],
            "return call",
        ]
        arguments = ", ".join([*self.constants, *self.weights])
        return "\n".join([f"def bind({arguments}):", *[f"    {line}" for line in body]])


def bind_program(program: Program, weights: list[Any]) -> Act:
    """Return the function (seen[N], leaves of the noise [N, ...]) ↦ (action[N], env_action[N], …) of a program."""
    call = program.bind(weights)
    return lambda seen, noise: call(*tree_leaves(seen), *noise)


def format_tree(tree: object) -> str:
    """Format dicts, tuples and lists of expressions as Python source.

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
