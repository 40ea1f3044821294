"""Numbers as users write them: Python's, NumPy's, and text. Python arguments and the command line are read alike."""

import operator
import re
from decimal import Decimal, InvalidOperation
from typing import SupportsFloat, SupportsIndex, cast

import numpy as np

from logpi.errors import LogpiError, shown

LARGEST_INT32 = 2**31 - 1  # rows, steps and weights are counted by 32 bits in compiled programs
MULTIPLES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
WholeNumber = SupportsIndex | SupportsFloat | str
"""Values that are read as a whole number: integers of any kind, whole floats, text."""
NUMBER = re.compile(r"([-+]?[\d_]*\.?[\d_]*(?:e[-+]?\d{1,4})?)([kmgb]?)", re.IGNORECASE | re.ASCII)


def read_integer(given: object) -> int:
    """Read a whole number, exactly: an integer of any kind, 1e6, or text such as "100_000", "1e6", "100k" and "1M".

    Raises ValueError or TypeError for all else, truth values among it.
    """
    if isinstance(given, bool | np.bool_):
        raise TypeError
    if isinstance(given, str):
        return _integer_of_text(given.strip())
    try:
        return operator.index(cast(SupportsIndex, given))
    except TypeError:
        number = float(cast(SupportsFloat, given))
    if number != int(number):
        raise ValueError
    return int(number)


def integer_within(given: object, low: float, high: float) -> int | None:
    """Read a whole number in `low` … `high`; None for all else."""
    try:
        number = read_integer(given)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if low <= number <= high else None


def whole_number(name: str, given: object, low: int, high: int) -> int:
    """Read a whole number in `low` … `high`; raises LogpiError naming the argument, the value and what is allowed."""
    number = integer_within(given, low, high)
    if number is None:
        raise LogpiError(f"{name} is {shown(given)}; allowed: a whole number, {low} … {high}")
    return number


def _integer_of_text(text: str) -> int:
    if text.isascii() and text.removeprefix("+").replace("_", "").isdigit():
        return int(text)
    matched = NUMBER.fullmatch(text)
    if matched is None:
        raise ValueError
    try:
        number = Decimal(matched[1].replace("_", "")) * MULTIPLES[matched[2].lower()]
    except InvalidOperation:
        raise ValueError from None
    if number != number.to_integral_value():
        raise ValueError
    return int(number)
