"""A policy's computation as lines of NumPy: plain data, which a process without JAX can carry, bind and run."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.nested import leaves

Act = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Program:
    """Straight-line NumPy over named values.

    `early` lines depend on the weights alone and are run when weights are bound; `late` lines are run at each call,
    and `answer` is what they come to: an expression of names, dicts and tuples.
    """

    constants: dict[str, np.ndarray]
    weights: tuple[str, ...]
    inputs: tuple[str, ...]
    early: tuple[str, ...]
    late: tuple[str, ...]
    answer: str

    def bind(self, weights: list[Any]) -> Callable[..., Any]:
        """The function of the inputs that remains once the weights are fixed."""
        return _function(self.source)(*self.constants.values(), *map(np.asarray, weights))

    @property
    def source(self) -> str:
        """The text of a function from constants and weights to the function of the inputs."""
        late = [*self.late, f"return {self.answer}"]
        inner = [*self.early, f"def call({', '.join(self.inputs)}):", *[f"    {line}" for line in late], "return call"]
        given = ", ".join([*self.constants, *self.weights])
        return "\n".join([f"def bind({given}):", *[f"    {line}" for line in inner]])


def acting(program: Program, weights: list[Any]) -> Act:
    """The function (obs[N], noise[N]) ↦ (action[N], what the environment is handed) of a policy's program.

    Observations are dicts, tuples and arrays; of the noise only the leaves are asked for.
    """
    call = program.bind(weights)
    return lambda obs, noise: call(*leaves(obs), *leaves(noise))


@functools.lru_cache(maxsize=64)
def _function(source: str) -> Callable[..., Callable[..., Any]]:
    names: dict[str, Any] = {"np": np}
    if "erf(" in source:
        from scipy.special import erf

        names["erf"] = erf
    exec(source, names)
    return names["bind"]
