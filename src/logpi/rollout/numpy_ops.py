"""JAX's primitives in NumPy, as far as policies use them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

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
    """An operation with no counterpart here; the policy then acts by a jitted call."""


def _plain(function: Callable[..., Any]) -> Callable[[Any], Callable[..., Any]]:
    return lambda equation: function


def _logistic(x: Any) -> Any:
    return 0.5 * (np.tanh(0.5 * x) + 1)


def _broadcast(equation: Any) -> Callable[[Any], Any]:
    shape, places = equation.params["shape"], equation.params["broadcast_dimensions"]

    def broadcast(x: Any) -> Any:
        inner = [1] * len(shape)
        for place, size in zip(places, x.shape, strict=True):
            inner[place] = size
        return np.broadcast_to(x.reshape(inner), shape)

    return broadcast


def _dot(equation: Any) -> Callable[[Any, Any], Any]:
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    ndims = [len(v.aval.shape) for v in equation.invars]
    if not left_batch and tuple(left) == (ndims[0] - 1,) and tuple(right) == (0,) and ndims[1] <= 2:
        return np.matmul
    if (tuple(left), tuple(right), tuple(left_batch), tuple(right_batch)) == ((1,), (1,), (0,), (0,)) and ndims == [
        2,
        3,
    ]:
        return lambda a, b: np.matmul(a[:, None, :], b)[:, 0, :]  # each row by a matrix of its own: a population
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    first = [next(letters) for _ in range(ndims[0])]
    second = [next(letters) for _ in range(ndims[1])]
    for i, j in zip((*left, *left_batch), (*right, *right_batch), strict=True):
        second[j] = first[i]
    batch = [first[i] for i in left_batch]
    free = [x for i, x in enumerate(first) if i not in (*left, *left_batch)]
    free += [x for i, x in enumerate(second) if i not in (*right, *right_batch)]
    pattern = f"{''.join(first)},{''.join(second)}->{''.join(batch + free)}"
    return lambda a, b: np.einsum(pattern, a, b, optimize=True)


def _reduce(function: Callable[..., Any]) -> Callable[[Any], Callable[..., Any]]:
    def make(equation: Any) -> Callable[[Any], Any]:
        axes = tuple(equation.params["axes"])
        return lambda x: function(x, axis=axes)

    return make


def _argmax(equation: Any) -> Callable[[Any], Any]:
    (axis,), dtype = equation.params["axes"], equation.params["index_dtype"]
    return lambda x: np.argmax(x, axis=axis).astype(dtype)


def _convert(equation: Any) -> Callable[[Any], Any]:
    dtype = equation.params["new_dtype"]
    return lambda x: x.astype(dtype)


def _slice(equation: Any) -> Callable[[Any], Any]:
    p = equation.params
    strides = p["strides"] or [1] * len(p["start_indices"])
    index = tuple(slice(*part) for part in zip(p["start_indices"], p["limit_indices"], strides, strict=True))
    return lambda x: x[index]


def _concatenate(equation: Any) -> Callable[..., Any]:
    axis = equation.params["dimension"]
    return lambda *parts: np.concatenate(parts, axis=axis)


def _stack(equation: Any) -> Callable[..., Any]:
    axis = equation.params["axis"]
    return lambda *parts: np.stack(parts, axis=axis)


def _cumsum(equation: Any) -> Callable[[Any], Any]:
    axis, reverse = equation.params["axis"], equation.params["reverse"]
    return lambda x: np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


def _reshape(equation: Any) -> Callable[[Any], Any]:
    shape = equation.params["new_sizes"]
    return lambda x: x.reshape(shape)


def _squeeze(equation: Any) -> Callable[[Any], Any]:
    axes = tuple(equation.params["dimensions"])
    return lambda x: np.squeeze(x, axes)


def _expand(equation: Any) -> Callable[[Any], Any]:
    axes = tuple(equation.params["dimensions"])
    return lambda x: np.expand_dims(x, axes)


def _transpose(equation: Any) -> Callable[[Any], Any]:
    order = equation.params["permutation"]
    return lambda x: np.transpose(x, order)


def _power(equation: Any) -> Callable[[Any], Any]:
    exponent = equation.params["y"]
    return lambda x: x**exponent


def _iota(equation: Any) -> Callable[[], Any]:
    shape, axis, dtype = (equation.params[name] for name in ("shape", "dimension", "dtype"))
    column = np.arange(shape[axis], dtype=dtype).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return lambda: np.broadcast_to(column, shape)


NUMPY: dict[str, Callable[[Any], Callable[..., Any]]] = {
    **{name: _plain(getattr(np, name)) for name in ("exp", "exp2", "log1p", "expm1", "tanh", "sqrt", "sign", "floor")},
    **{name: _plain(getattr(np, name)) for name in ("sin", "cos", "tan", "ceil", "log", "abs", "square")},
    "add": _plain(np.add),
    "add_any": _plain(np.add),
    "sub": _plain(np.subtract),
    "mul": _plain(np.multiply),
    "div": _plain(np.divide),
    "neg": _plain(np.negative),
    "max": _plain(np.maximum),
    "min": _plain(np.minimum),
    "pow": _plain(np.power),
    "rsqrt": _plain(lambda x: 1 / np.sqrt(x)),
    "logistic": _plain(_logistic),
    "eq": _plain(np.equal),
    "ne": _plain(np.not_equal),
    "lt": _plain(np.less),
    "le": _plain(np.less_equal),
    "gt": _plain(np.greater),
    "ge": _plain(np.greater_equal),
    "and": _plain(np.bitwise_and),
    "or": _plain(np.bitwise_or),
    "not": _plain(np.invert),
    "is_finite": _plain(np.isfinite),
    "stop_gradient": _plain(lambda x: x),
    "copy": _plain(lambda x: x),
    "copy_p": _plain(lambda x: x),
    "select_n": _plain(lambda which, no, yes: np.where(which, yes, no)),
    "clamp": _plain(lambda low, x, high: np.clip(x, low, high)),
    "integer_pow": _power,
    "broadcast_in_dim": _broadcast,
    "dot_general": _dot,
    "reduce_sum": _reduce(np.sum),
    "reduce_max": _reduce(np.max),
    "reduce_min": _reduce(np.min),
    "reduce_or": _reduce(np.any),
    "argmax": _argmax,
    "convert_element_type": _convert,
    "slice": _slice,
    "concatenate": _concatenate,
    "stack": _stack,
    "cumsum": _cumsum,
    "erf": _plain(scipy.special.erf),
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand_dims": _expand,
    "transpose": _transpose,
    "iota": _iota,
}
