"""Acting on the host: a policy's own computation, run by NumPy.

A jitted call costs 140–300 µs however it is packed; the same forward pass of a small network takes NumPy 30. So the
policy is traced once, its jaxpr is kept as plain data, and everything in it that depends on the weights alone is
worked out when new weights are bound, once a rollout.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import numpy as np
from jaxtyping import PyTree

from logpi.rollout.numpy_ops import INLINE, NUMPY, UnknownPrimitive

Equation = tuple[Callable[..., Any], tuple[int, ...], int]


class Program:
    """A traced function as a list of NumPy calls over numbered registers, picklable but for nothing it holds."""

    def __init__(self, function: Callable[..., PyTree], early: list[Any], late: list[Any]):
        """Lower `function(*early, *late)`, arrays in and a tuple of arrays out.

        What depends on `early` alone is computed at `bind`. Raises UnknownPrimitive for an operation that NumPy has
        no counterpart for here.
        """
        closed = jax.make_jaxpr(function)(*early, *late)
        self._values: dict[int, Any] = {}
        self._early: list[Equation] = []
        self._late: list[Equation] = []
        self._numbers: dict[Any, int] = {}
        self._count = 0
        invars = closed.jaxpr.invars
        self._early_in = [self._number(v) for v in invars[: len(early)]]
        self._late_in = [self._number(v) for v in invars[len(early) :]]
        self._is_late = set(self._late_in)
        consts = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        self._walk(closed.jaxpr, {v: self._constant(c) for v, c in consts.items()})
        self._out = [self._lookup(v, {}) for v in closed.jaxpr.outvars]

    def bind(self, early: list[Any]) -> Callable[..., tuple]:
        """The function of the late arguments that remains once the early ones are fixed."""
        registers: list[Any] = [None] * self._count
        for number, value in self._values.items():
            registers[number] = value
        for number, value in zip(self._early_in, early, strict=True):
            registers[number] = np.asarray(value)
        _run(self._early, registers)
        late, inputs, outputs = self._late, self._late_in, self._out

        def call(*arguments: Any) -> tuple:
            for number, value in zip(inputs, arguments, strict=True):
                registers[number] = value
            _run(late, registers)
            return tuple(registers[number] for number in outputs)

        return call

    def _number(self, var: Any = None) -> int:
        self._count += 1
        if var is not None:
            self._numbers[var] = self._count - 1
        return self._count - 1

    def _constant(self, value: Any) -> int:
        number = self._number()
        self._values[number] = np.asarray(value)
        return number

    def _lookup(self, atom: Any, names: dict[Any, int]) -> int:
        if isinstance(atom, jax.extend.core.Literal):
            aval: Any = atom.aval
            return self._constant(np.asarray(atom.val, aval.dtype))
        return names[atom] if atom in names else self._numbers[atom]

    def _walk(self, jaxpr: Any, names: dict[Any, int]) -> None:
        """Append a jaxpr's equations, those of functions called inside it included."""
        self._numbers.update(names)
        for equation in jaxpr.eqns:
            numbers = [self._lookup(atom, names) for atom in equation.invars]
            name = equation.primitive.name
            inner = next((equation.params[p] for p in ("jaxpr", "call_jaxpr") if p in equation.params), None)
            if name in INLINE and inner is not None:
                self._inline(inner, numbers, equation.outvars)
                continue
            if name not in NUMPY or len(equation.outvars) != 1:
                raise UnknownPrimitive(name)
            out = self._number(equation.outvars[0])
            is_late = any(n in self._is_late for n in numbers)
            (self._late if is_late else self._early).append((NUMPY[name](equation), tuple(numbers), out))
            self._is_late |= {out} if is_late else set()

    def _inline(self, inner: Any, numbers: list[int], outvars: list[Any]) -> None:
        jaxpr = getattr(inner, "jaxpr", inner)
        consts = [self._constant(c) for c in getattr(inner, "consts", ())]
        outer = dict(self._numbers)
        self._walk(jaxpr, dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *numbers], strict=True)))
        results = [self._lookup(v, {}) for v in jaxpr.outvars]
        self._numbers = outer | dict(zip(outvars, results, strict=True))


def _run(equations: list[Equation], registers: list[Any]) -> None:
    for function, inputs, output in equations:
        if len(inputs) == 1:
            registers[output] = function(registers[inputs[0]])
        elif len(inputs) == 2:
            registers[output] = function(registers[inputs[0]], registers[inputs[1]])
        else:
            registers[output] = function(*[registers[i] for i in inputs])
