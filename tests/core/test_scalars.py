"""Whole numbers, from Python, NumPy and text, exactly or not at all."""

import numpy as np
import pytest

from logpi.core.scalars import read_integer, whole_number
from logpi.errors import LogpiError


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (3, 3),
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.array(3), 3),
        (1e6, 10**6),
        (np.float32(4), 4),
        ("12", 12),
        ("1_000", 1000),
        ("1e6", 10**6),
        ("2.5k", 2500),
        ("1M", 10**6),
        (str(2**64 + 1), 2**64 + 1),
        ("-3", -3),
    ],
)
def test_whole_numbers(given, number):
    read = read_integer(given)
    assert read == number and type(read) is int


@pytest.mark.parametrize(
    "given", [True, np.True_, 1.5, "1.5", "", "k", "²", "x", "nan", "inf", float("nan"), None, [3], "1e99999", "_", "-"]
)
def test_what_is_no_whole_number(given):
    with pytest.raises(LogpiError, match=r"steps is .*; allowed: a whole number, 1 … 9"):
        whole_number("steps", given, 1, 9)


@pytest.mark.parametrize("given", [0, 10, np.inf])
def test_bounds(given):
    with pytest.raises(LogpiError, match="a whole number, 1 … 9"):
        whole_number("steps", given, 1, 9)
