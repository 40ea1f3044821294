"""A program as the text of a Python module that needs nothing but NumPy."""

import ast
import base64
import textwrap
from typing import Any

import numpy as np

from logpi.numpy_policy.program import SPECIAL, Program

ARRAY = """

def _array(dtype, shape, text):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)

"""


def dependencies(lines: list[str], answer: str) -> list[str]:
    """Those of the lines `name = expression` that an expression rests on, in order."""
    wanted, kept = names(answer), []
    for line in reversed(lines):
        if line.partition(" = ")[0] in wanted:
            wanted |= names(line)
            kept.append(line)
    return kept[::-1]


def names(text: str) -> set[str]:
    """The names in a line or an expression."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def act(program: Program, seen: list[str], drawn: list[str] | None, mode: str, sample: str) -> str:
    """The text of `act(obs, rng=None)`.

    - `seen`, `drawn`: expressions of the inputs: of an observation's leaves, and of the noise's by a generator; no
      noise where none is known, and then the mode is all there is.
    - `mode`, `sample`: what is returned.
    """
    inputs = [
        f"{name} = {text}" for name, text in zip(program.inputs, [*seen, *(drawn or [])], strict=drawn is not None)
    ]
    every = [*inputs, *program.per_call]
    first = dependencies(every, mode)
    rest = [line for line in dependencies(every, sample) if line not in first]
    last = [*rest, f"return {sample}"] if drawn is not None else ["raise ValueError('only the mode was exported')"]
    lines = [*first, "if rng is None:", f"    return {mode}", *last]
    return "\n".join(["def act(obs, rng=None):", *[f"    {line}" for line in lines]]) + "\n"


def imports(body: str) -> str:
    """What such code needs to be imported."""
    special = sorted(names(body).intersection(SPECIAL))
    return "import base64\n\nimport numpy as np\n" + f"from scipy.special import {', '.join(special)}\n" * bool(special)


def constants(program: Program, weights: list[Any], body: str, paths: list[str]) -> str:
    """The text that defines all that such code reads: constants, weights, and what was computed from these.

    `paths` say where in the policy the weights stand.
    """
    known, read = program.constants_for(weights), names(body)
    where = {name: f"  # {path}" for name, path in zip(program.weights, paths, strict=True)}
    return ARRAY + "".join(f"{name} = {_value(x)}{where.get(name, '')}\n" for name, x in known.items() if name in read)


def _value(x: Any) -> str:
    x = np.asarray(x)
    if x.ndim == 0:
        plain = repr(x.item()) if np.isfinite(x) else f"'{x.item()}'"
        return f"np.{x.dtype.name if x.dtype.kind != 'b' else 'bool_'}({plain})"
    text = base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(text, 112) or [""])
    return f"_array({x.dtype.name!r}, {x.shape}, (\n{lines}\n))"
