"""Acting on the host: a policy's own computation, lowered to NumPy.

A jitted call costs 140–300 µs however it is packed; the same forward pass of a small network takes NumPy 15. So the
policy is traced once, its jaxpr is kept as lines of NumPy, and everything in it that depends on the weights alone is
worked out when new weights are bound, once a rollout.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import numpy as np
from jaxtyping import PyTree

from logpi.numpy_policy.primitives import ELEMENTWISE, INLINE, UnknownPrimitive, expressions
from logpi.numpy_policy.program import Program

Line = tuple[str, str, tuple[str, ...]]  # name, expression, the names in it


def lower(function: Callable[..., PyTree], early: list[Any], late: list[Any]) -> Program:
    """Lower `function(*early, *late)`, arrays in and dicts and tuples of arrays out.

    What depends on `early` alone is computed when that is bound. Raises UnknownPrimitive for an operation that NumPy
    has no counterpart for here.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*early, *late)
    lines = _Lowering(closed, len(early))
    answer = jax.tree.structure(shapes).unflatten([lines.name(v) for v in closed.jaxpr.outvars])
    _require_plain(answer)
    needed, kept = set(jax.tree.leaves(answer)), []
    for name, text, operands in reversed(lines.lines):
        if name in needed:
            kept.append((name, f"{name} = {text}"))
            needed |= set(operands)
    at = lambda late: tuple(line for name, line in reversed(kept) if (name in lines.per_call) == late)
    constants = {name: value for name, value in lines.constants.items() if name in needed}
    return Program(constants, lines.weights, lines.inputs, at(False), at(True), answer)


class _Lowering:
    """A jaxpr as it is walked: the lines so far, and which names are known only when the policy acts."""

    def __init__(self, closed: Any, early: int):
        invars = closed.jaxpr.invars
        self.weights = tuple(f"w{i}" for i in range(early))
        self.inputs = tuple(f"x{i}" for i in range(len(invars) - early))
        self.per_call = set(self.inputs)
        self.constants: dict[str, np.ndarray] = {}
        self.lines: list[Line] = []
        self._names: dict[Any, str] = dict(zip(invars, [*self.weights, *self.inputs], strict=True))
        self._names |= self._constants(closed)
        self._walk(closed.jaxpr)

    def name(self, atom: Any) -> str:
        if isinstance(atom, jax.extend.core.Literal):
            aval: Any = atom.aval
            return self._constant(np.asarray(atom.val, aval.dtype))
        return self._names[atom]

    def _constant(self, value: Any) -> str:
        value = np.asarray(value)
        same = lambda x: x.dtype == value.dtype and x.shape == value.shape and x.tobytes() == value.tobytes()
        for name, known in self.constants.items():
            if same(known):
                return name
        self.constants[f"c{len(self.constants)}"] = value
        return f"c{len(self.constants) - 1}"

    def _constants(self, closed: Any) -> dict[Any, str]:
        return {var: self._constant(c) for var, c in zip(closed.jaxpr.constvars, closed.consts, strict=True)}

    def _walk(self, jaxpr: Any) -> None:
        """Append a jaxpr's equations, those of functions called inside it included."""
        for equation in jaxpr.eqns:
            operands = tuple(self.name(atom) for atom in equation.invars)
            inner = next((equation.params[p] for p in ("jaxpr", "call_jaxpr") if p in equation.params), None)
            if equation.primitive.name in INLINE and inner is not None:
                self._inline(inner, operands, equation.outvars)
                continue
            if equation.primitive.name in ELEMENTWISE and self.per_call.intersection(operands):
                operands = self._broadcast_operands(equation, operands)
            for var, text in zip(equation.outvars, expressions(equation), strict=True):
                self._names[var] = operands[0] if text == "{0}" else self._line(text, operands)

    def _broadcast_operands(self, equation: Any, operands: tuple[str, ...]) -> tuple[str, ...]:
        """The operands, those known early laid out in the shape of the answer: NumPy then adds in half the time."""
        shape = tuple(map(int, equation.outvars[0].aval.shape))
        wide = lambda name: self._line(f"np.ascontiguousarray(np.broadcast_to({{0}}, {shape}))", (name,))
        smaller = lambda name, atom: name not in self.per_call and tuple(atom.aval.shape) not in ((), shape)
        pairs = zip(operands, equation.invars, strict=True)
        return tuple(wide(name) if smaller(name, atom) else name for name, atom in pairs)

    def _line(self, text: str, operands: tuple[str, ...]) -> str:
        name = f"r{len(self.lines)}"
        self.lines.append((name, text.format(*operands), operands))
        self.per_call |= {name} if self.per_call.intersection(operands) else set()
        return name

    def _inline(self, inner: Any, operands: tuple[str, ...], outvars: list[Any]) -> None:
        jaxpr = getattr(inner, "jaxpr", inner)
        self._names |= dict(zip(jaxpr.invars, operands, strict=True))
        self._names |= self._constants(inner) if jaxpr is not inner else {}
        self._walk(jaxpr)
        results = [self.name(v) for v in jaxpr.outvars]
        self._names |= dict(zip(outvars, results, strict=True))


def _require_plain(tree: Any) -> None:
    if type(tree) in (tuple, list, dict):
        for part in tree.values() if isinstance(tree, dict) else tree:
            _require_plain(part)
    elif not isinstance(tree, str):
        raise UnknownPrimitive(f"actions that are a {type(tree).__name__}")
