"""Elements of spaces; `tests/environments/test_answers.py` has what is refused, by every kind of environment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from counting import DICT, TUPLE, shown
from gymnasium import spaces

from logpi.spaces.elements import element_fault, form_fault, index_ranges, show_value

EVERY = [
    DICT,
    TUPLE,
    spaces.Box(-1, 1, (2, 3), np.float16),
    spaces.Box(0, 2**40, (2,), np.int64),
    spaces.Box(0, 2**32 - 1, (2,), np.uint32),
    spaces.Discrete(3, start=-1),
    spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[1, 0], [0, -5]]),
    spaces.MultiBinary([2, 2]),
    spaces.Dict(),
    spaces.Tuple(()),
]


@pytest.mark.parametrize("space", [space for space in EVERY if space != EVERY[3]], ids=str)
def test_samples_are_elements(space):
    space.seed(0)
    for _ in range(20):
        assert element_fault(space, space.sample()) is None


def test_a_row_for_each_environment_is_asked_for():
    batch = jax.tree.map(lambda *x: np.stack(x), *[shown(DICT, n) for n in range(3)])
    assert element_fault(DICT, batch, (3,)) is None
    assert "(3, 1) is not (2, 1)" in str(element_fault(DICT, batch, (2,)))


def test_arrays_alone_have_a_form():
    obs = jax.eval_shape(lambda: {"a": jnp.zeros(2), "b": jnp.int32(7)})
    assert form_fault(spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.Discrete(5)), obs) is None
    fault = form_fault(spaces.Dict(a=spaces.Box(-1, 1, (3,)), b=spaces.Discrete(5)), obs)
    assert str(fault).startswith("['a']: shape (2,)")


def test_ranges_are_in_the_order_of_leaves():
    space = spaces.Dict(b=spaces.Box(-1, 1, (2,)), a=spaces.Discrete(4, start=2), c=spaces.MultiBinary(2))
    assert index_ranges(space) == [("['a']", 2, 5), None, ("['c']", 0, 1)]


def test_values_are_shown_in_one_short_line():
    assert show_value(np.arange(1000).reshape(10, 100)) == "ndarray of shape (10, 100)"
    assert show_value("a\nb") == "a b" and len(show_value("x" * 500)) < 80
