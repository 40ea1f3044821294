"""Source of a Python module that runs a program with NumPy alone."""

import ast
import base64
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from logpi.numpy_policy.program import SPECIAL, Program

ARRAY = """

def _array(dtype, shape, text):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)

"""


def dependencies(lines: list[str], result: str) -> list[str]:
    """Select the lines `name = expression` that an expression depends on, in order."""
    wanted, needed = names(result), []
    for line in reversed(lines):
        if line.partition(" = ")[0] in wanted:
            wanted |= names(line)
            needed.append(line)
    return needed[::-1]


def names(text: str) -> set[str]:
    """Return the names in a line or an expression."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def act(
    program: Program, seen: list[str], noise: list[str] | None, mode: str, sample: str, arguments: str = "obs"
) -> str:
    """Write the function `act(obs, rng=None)`, which returns the mode, or a sample with a NumPy generator `rng`.

    - `seen`: expressions of the leaves of an observation, and of a memory.
    - `noise`: expressions of the leaves of the noise, drawn from `rng`; None if there is no sampler: the mode alone.
    - `mode`, `sample`: expressions of the results.
    - `arguments`: names of the function's arguments before `rng`.
    """
    inputs = [
        f"{name} = {text}" for name, text in zip(program.inputs, [*seen, *(noise or [])], strict=noise is not None)
    ]
    every_line = [*inputs, *program.per_call]
    for_mode = dependencies(every_line, mode)
    for_sample = [line for line in dependencies(every_line, sample) if line not in for_mode]
    end = [*for_sample, f"return {sample}"] if noise is not None else ["raise ValueError('only the mode was exported')"]
    lines = [*for_mode, "if rng is None:", f"    return {mode}", *end]
    return "\n".join([f"def act({arguments}, rng=None):", *[f"    {line}" for line in lines]]) + "\n"


def initial(memory: list[np.ndarray]) -> str:
    """Write the function `initial()`, which returns the memory of an episode that begins."""
    return "\n".join(["def initial():", f"    return ({''.join(f'{_value(h)}, ' for h in memory)})"]) + "\n"


def noise_expressions(sampler: list[str], noise: list[Any]) -> list[str]:
    """Write the expressions that draw the leaves of the noise from a NumPy generator `rng`.

    - `sampler`: methods of the generator, see `logpi.distributions.protocol.numpy_sampler`.
    - `noise`: anything with the leaves' shapes and dtypes.
    """
    pairs = zip(sampler, noise, strict=True)
    return [f"np.asarray(rng.{method.format(x.shape)}, '{x.dtype}')" for method, x in pairs]


def draws(sampler: list[str], noise: list[Any]) -> Callable[[np.random.Generator], list[np.ndarray]]:
    """Build the function that draws the leaves of the noise from a NumPy generator, as an exported policy does."""
    return eval(f"lambda rng: [{', '.join(noise_expressions(sampler, noise))}]", {"np": np})


def imports(body: str) -> str:
    """Write the imports that the code needs."""
    special = sorted(names(body).intersection(SPECIAL))
    return "import base64\n\nimport numpy as np\n" + f"from scipy.special import {', '.join(special)}\n" * bool(special)


def constants(program: Program, weights: list[Any], body: str, paths: list[str]) -> str:
    """Write the arrays that the code reads: constants, weights, and results of lines that depend on these alone.

    - `paths`: path of each weight in the policy, written as a comment.
    """
    arrays, used = program.constants_for(weights), names(body)
    comments = {name: f"  # {path}" for name, path in zip(program.weights, paths, strict=True)}
    return ARRAY + "".join(
        f"{name} = {_value(x)}{comments.get(name, '')}\n" for name, x in arrays.items() if name in used
    )


def _value(x: np.ndarray | np.generic) -> str:
    """Write an array as an expression."""
    x = np.asarray(x)
    if x.ndim == 0:
        number = repr(x.item()) if np.isfinite(x) else f"'{x.item()}'"
        return f"np.{x.dtype.name if x.dtype.kind != 'b' else 'bool_'}({number})"
    text = base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(text, 112) or [""])
    return f"_array({x.dtype.name!r}, {x.shape}, (\n{lines}\n))"
