"""Layouts: equal where one network fits both spaces, and a message that names the first leaf where not."""

import numpy as np
import pytest
from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.spaces.layout import SpaceLayouts, layout

ACT = spaces.Discrete(2)
box = lambda *shape, high=1, dtype=np.float32: spaces.Box(-high if dtype == np.float32 else 0, high, shape, dtype)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (box(3), box(3, high=np.inf)),
        (spaces.Box(-1, 1, (3,), np.float32), spaces.Box(-1, 1, (3,), np.float64)),
        (spaces.Dict(a=box(1), b=ACT), spaces.Dict(b=ACT, a=box(1))),
    ],
)
def test_bounds_precision_and_the_order_of_a_dict_make_no_difference(a, b):
    assert layout(a) == layout(b) and hash(layout(a)) == hash(layout(b))


@pytest.mark.parametrize(
    ("expected", "given", "line"),
    [
        (spaces.Discrete(16), spaces.Discrete(64), r"its observation is Discrete\(64\), that of me Discrete\(16\)"),
        (spaces.Discrete(4), spaces.Discrete(4, start=1), r"is Discrete\(4, start=1\), that of me Discrete\(4\)"),
        (box(4), box(6), r"is Box\(6,\) of numbers, that of me Box\(4,\) of numbers"),
        (box(2, 2), box(4), r"is Box\(4,\) of numbers, that of me Box\(2, 2\)"),
        (box(2, dtype=np.uint8), box(2), r"is Box\(2,\) of numbers, that of me Box\(2,\) of unsigned integers"),
        (spaces.Dict(a=ACT), spaces.Dict(b=ACT), r"observation\['a'\] is absent, that of me Discrete\(2\)"),
        (spaces.Dict(a=ACT), spaces.Dict(a=ACT, b=ACT), r"observation\['b'\] is Discrete\(2\), that of me absent"),
        (spaces.Tuple([ACT]), spaces.Tuple([ACT, box(1)]), r"observation\[1\] is Box\(1,\) of numbers, that of me abs"),
        (spaces.MultiDiscrete([2, 3]), spaces.MultiDiscrete([3, 2]), r"is MultiDiscrete\(\[3, 2\]\)"),
        (spaces.MultiBinary(2), spaces.MultiBinary((1, 2)), r"is MultiBinary\(1, 2\), that of me MultiBinary\(2,\)"),
    ],
)
def test_the_first_difference_is_named(expected, given, line):
    with pytest.raises(LogpiError, match=f"Task-v0 does not fit me: .*{line}"):
        SpaceLayouts.of(expected, ACT).require(SpaceLayouts.of(given, ACT), "Task-v0", "me")
    with pytest.raises(LogpiError, match="its action"):
        SpaceLayouts.of(ACT, expected).require(SpaceLayouts.of(ACT, given), "Task-v0", "me")
