"""The fields of a run's JSON files: which values each may have, checked when a file is read."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from logpi.core.seeds import LARGEST_SEED
from logpi.errors import LogpiError, shown

LARGEST_COUNT = 2**63 - 1
LAST_ITERATION = 10**9 - 1  # names of checkpoints have nine digits
LONGEST_NAME = 1000  # characters


@dataclass(frozen=True)
class Field:
    """A field of a JSON object.

    - `allowed`: its values in words.
    - `accepts`: tells whether the field may have a value.
    - `required`: whether the field must be there.
    """

    allowed: str
    accepts: Callable[[Any], bool]
    required: bool = True


def count(low: int = 0, high: int = LARGEST_COUNT) -> Field:
    """Return the field of a whole number in `low` … `high`."""
    return Field(f"a whole number, {low} … {high}", lambda x: type(x) is int and low <= x <= high)


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a number that fits a float: no truth value, not infinite."""
    kind = type(value)
    return (kind is float and math.isfinite(value)) or (kind is int and abs(value) < 2**1023)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _are_lines(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def _are_entries(value: object) -> bool:
    return isinstance(value, list) and all(type(x) is int and x >= 0 for x in value) and len({*value}) == len(value)


NUMBER_OR_NULL = Field("a finite number, or null", lambda x: x is None or is_number(x))
DURATION = Field("a finite number ≥ 0", lambda x: is_number(x) and x >= 0)
NAME = Field(f"text of 1 … {LONGEST_NAME} printable characters", _is_name)
OBJECT = Field("an object", lambda x: isinstance(x, dict))
Fields = Mapping[str, Field]

CONFIGURATION: Fields = {
    "environment": NAME,
    "env_args": Field("an object, or null", lambda x: isinstance(x, dict | None), required=False),
    "hide": Field("a list of whole numbers ≥ 0, each once", _are_entries, required=False),
    "algorithm": NAME,
    "seed": count(high=LARGEST_SEED),
    "steps": count(low=1),
    "settings": OBJECT,
    "evaluations": count(),
    "checkpoint_seconds": DURATION,
    "spaces": OBJECT,
    "description": Field("a list of lines of text", _are_lines),
}
PROGRESS: Fields = {
    "iteration": count(high=LAST_ITERATION),
    "steps": count(),
    "episodes": count(),
    "best": NUMBER_OR_NULL,
    "rows": count(),
    "train_seconds": DURATION,
    "eval_seconds": DURATION,
}


def check_fields(values: Mapping[str, Any], fields: Fields, place: str) -> None:
    """Raise LogpiError, naming the field, where an object lacks a field or one has another value.

    Fields that are not declared are allowed: a later version may have written them.

    - `place`: of the object, for messages.
    """
    for name, field in fields.items():
        if name not in values:
            if field.required:
                raise LogpiError(f"{place} has no {name}")
        elif not field.accepts(values[name]):
            raise LogpiError(f"{place}: {name} is {shown(values[name])}; allowed: {field.allowed}")
