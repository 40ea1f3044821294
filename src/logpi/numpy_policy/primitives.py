"""NumPy expressions of the JAX primitives that policies use; `{0}` stands for the first operand."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, SupportsInt

import numpy as np
from jax.extend.core import JaxprEqn, Literal, Var

INLINE = {
    "pjit",
    "jit",
    "closed_call",
    "core_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "custom_vjp_call_jaxpr",
}


class UnknownPrimitive(Exception):
    """Operation of a jaxpr without a counterpart in NumPy here; the policy then acts by a jitted call."""


def _ints(values: Iterable[SupportsInt]) -> tuple[int, ...]:
    return tuple(int(x) for x in values)


def shape_of(atom: Var | Literal) -> tuple[int, ...]:
    """Return the shape of an operand or a result."""
    aval: Any = atom.aval
    return _ints(aval.shape)


def dtype_of(atom: Var | Literal) -> np.dtype:
    """Return the dtype of an operand or a result."""
    aval: Any = atom.aval
    return aval.dtype


def _shaped(equation: JaxprEqn) -> str:
    """Reshape the operand, if its shape changes."""
    old, new = (shape_of(atom) for atom in (equation.invars[0], equation.outvars[0]))
    return "{0}" if old == new else f"{{0}}.reshape({new})"


def _broadcast(equation: JaxprEqn) -> str:
    shape, axes = _ints(equation.params["shape"]), _ints(equation.params["broadcast_dimensions"])
    sizes = shape_of(equation.invars[0])
    inner = [1] * len(shape)
    for axis, size in zip(axes, sizes, strict=True):
        inner[axis] = size
    operand = "{0}" if tuple(inner) == sizes else f"{{0}}.reshape({tuple(inner)})"
    return operand if tuple(inner) == shape else f"np.broadcast_to({operand}, {shape})"


def _dot(equation: JaxprEqn) -> str:
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    ndims = [len(shape_of(v)) for v in equation.invars]
    if not left_batch and tuple(left) == (ndims[0] - 1,) and tuple(right) == (0,) and ndims[1] <= 2:
        return "{0}.dot({1})" if ndims[0] <= 2 else "{0} @ {1}"  # `dot` has less overhead, but is slow for three axes
    if (*map(tuple, (left, right, left_batch, right_batch)), *ndims) == ((1,), (1,), (0,), (0,), 2, 3):
        return "np.matmul({0}[:, None, :], {1})[:, 0, :]"  # one matrix per row: a population
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    first = [next(letters) for _ in range(ndims[0])]
    second = [next(letters) for _ in range(ndims[1])]
    for i, j in zip((*left, *left_batch), (*right, *right_batch), strict=True):
        second[j] = first[i]
    batch = [first[i] for i in left_batch]
    free = [x for i, x in enumerate(first) if i not in (*left, *left_batch)]
    free += [x for i, x in enumerate(second) if i not in (*right, *right_batch)]
    return f"np.einsum('{''.join(first)},{''.join(second)}->{''.join(batch + free)}', {{0}}, {{1}}, optimize=True)"


def _sum_dtype(equation: JaxprEqn) -> str:
    """Argument that keeps the dtype of integer sums, which NumPy would widen."""
    dtype = dtype_of(equation.outvars[0])
    return "" if np.issubdtype(dtype, np.floating) else f", dtype='{dtype}'"


def _reduce(function: str) -> Callable[[JaxprEqn], str]:
    return lambda equation: f"np.{function}.reduce({{0}}, axis={_ints(equation.params['axes'])})"


def _sum(equation: JaxprEqn) -> str:
    return f"np.add.reduce({{0}}, axis={_ints(equation.params['axes'])}{_sum_dtype(equation)})"


def _argmax(equation: JaxprEqn) -> str:
    (axis,) = _ints(equation.params["axes"])
    return f"{{0}}.argmax({axis}).astype('{np.dtype(equation.params['index_dtype'])}')"


def _convert(equation: JaxprEqn) -> str:
    old, new = dtype_of(equation.invars[0]), equation.params["new_dtype"]
    return "{0}" if old == new else f"{{0}}.astype('{new}')"


def _slice(equation: JaxprEqn) -> str:
    p = equation.params
    strides = _ints(p["strides"] or [1] * len(p["start_indices"]))
    parts = zip(_ints(p["start_indices"]), _ints(p["limit_indices"]), strides, strict=True)
    return "{0}[" + ", ".join(f"{a}:{b}" if step == 1 else f"{a}:{b}:{step}" for a, b, step in parts) + "]"


def _concatenate(equation: JaxprEqn) -> str:
    parts = ", ".join(f"{{{i}}}" for i in range(len(equation.invars)))
    return f"np.concatenate(({parts},), axis={int(equation.params['dimension'])})"


def _stack(equation: JaxprEqn) -> str:
    parts = ", ".join(f"{{{i}}}" for i in range(len(equation.invars)))
    return f"np.stack(({parts},), axis={int(equation.params['axis'])})"


def _cumsum(equation: JaxprEqn) -> str:
    axis = int(equation.params["axis"])
    if equation.params["reverse"]:
        return f"np.flip(np.cumsum(np.flip({{0}}, {axis}), {axis}{_sum_dtype(equation)}), {axis})"
    return f"np.cumsum({{0}}, {axis}{_sum_dtype(equation)})"


def _split(equation: JaxprEqn) -> list[str]:
    before, ends = ":, " * int(equation.params["axis"]), [0, *itertools.accumulate(_ints(equation.params["sizes"]))]
    return [f"{{0}}[{before}{start}:{end}]" for start, end in itertools.pairwise(ends)]


def _transpose(equation: JaxprEqn) -> str:
    return f"{{0}}.transpose({_ints(equation.params['permutation'])})"


def _power(equation: JaxprEqn) -> str:
    return f"{{0}} ** {int(equation.params['y'])}"


def _divide(equation: JaxprEqn) -> str:
    if not np.issubdtype(dtype_of(equation.outvars[0]), np.floating):
        raise UnknownPrimitive("div of integers")
    return "{0} / {1}"


def _select(equation: JaxprEqn) -> str:
    if len(equation.invars) != 3:
        raise UnknownPrimitive("select_n of more than two cases")
    return "np.where({0}, {2}, {1})"


def _round(equation: JaxprEqn) -> str:
    if int(equation.params["rounding_method"]) != 1:
        raise UnknownPrimitive("round away from zero")
    return "np.rint({0})"


def _iota(equation: JaxprEqn) -> str:
    shape, axis = _ints(equation.params["shape"]), int(equation.params["dimension"])
    column = [-1 if i == axis else 1 for i in range(len(shape))]
    dtype = np.dtype(equation.params["dtype"])
    return f"np.broadcast_to(np.arange({shape[axis]}, dtype='{dtype}').reshape({column}), {shape})"


FUNCTIONS = "exp exp2 log1p expm1 tanh sqrt sign floor sin cos tan ceil log abs square".split()
OPERATORS = {"add": "+", "add_any": "+", "sub": "-", "mul": "*", "and": "&", "or": "|"}
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
NUMPY: dict[str, str | Callable[[JaxprEqn], str]] = {
    **{name: f"np.{name}({{0}})" for name in FUNCTIONS},
    **{name: f"{{0}} {sign} {{1}}" for name, sign in (OPERATORS | COMPARISONS).items()},
    "neg": "-{0}",
    "not": "~{0}",
    "max": "np.maximum({0}, {1})",
    "min": "np.minimum({0}, {1})",
    "pow": "np.power({0}, {1})",
    "div": _divide,
    "rsqrt": "1 / np.sqrt({0})",
    "logistic": "0.5 * (np.tanh(0.5 * {0}) + 1)",
    "is_finite": "np.isfinite({0})",
    "erf": "erf({0})",
    "erfc": "erfc({0})",
    "erf_inv": "erfinv({0})",
    "clamp": "np.minimum(np.maximum({1}, {0}), {2})",
    "stop_gradient": "{0}",
    "copy": "{0}",
    "copy_p": "{0}",
    "round": _round,
    "select_n": _select,
    "integer_pow": _power,
    "broadcast_in_dim": _broadcast,
    "dot_general": _dot,
    "reduce_sum": _sum,
    "reduce_max": _reduce("maximum"),
    "reduce_min": _reduce("minimum"),
    "reduce_or": _reduce("bitwise_or"),
    "reduce_and": _reduce("bitwise_and"),
    "argmax": _argmax,
    "convert_element_type": _convert,
    "slice": _slice,
    "concatenate": _concatenate,
    "stack": _stack,
    "cumsum": _cumsum,
    "reshape": _shaped,
    "squeeze": _shaped,
    "expand_dims": _shaped,
    "transpose": _transpose,
    "iota": _iota,
}
ELEMENTWISE = {*OPERATORS, *COMPARISONS, "max", "min", "pow", "div", "select_n", "clamp"}


def expressions(equation: JaxprEqn) -> list[str]:
    """Return the NumPy expressions of an equation, one per output. Raises UnknownPrimitive if there is none."""
    name = equation.primitive.name
    if name == "split":
        return _split(equation)
    if name not in NUMPY or len(equation.outvars) != 1:
        raise UnknownPrimitive(name)
    template = NUMPY[name]
    return [template if isinstance(template, str) else template(equation)]
