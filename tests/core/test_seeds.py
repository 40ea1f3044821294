"""Every whole number from 0 on is a seed of its own; those below 2³² keep the keys that they had."""

import itertools

import jax
import numpy as np
import pytest

from logpi.core.keys import root_key
from logpi.core.seeds import LARGEST_SEED, derive, read_seed
from logpi.errors import LogpiError

SMALL = [0, 1, 5, 2**31, 2**32 - 1]
LARGE = [2**32, 5 + 2**32, 5 + 2**33, 2**64, 5 + 2**64, 5 + 2**32 + 2**64, LARGEST_SEED]


def test_small_seeds_have_the_keys_of_jax():
    for seed in SMALL:
        assert (jax.random.key_data(root_key(seed)) == jax.random.key_data(jax.random.key(seed))).all()


def test_no_two_seeds_have_the_same_key():
    keys = {tuple(jax.random.key_data(root_key(seed)).tolist()) for seed in SMALL + LARGE}
    assert len(keys) == len(SMALL + LARGE)


def test_no_two_purposes_of_two_seeds_are_the_same():
    paths = [(), *itertools.product([0, 1, 2]), *itertools.product([0, 1], [0, 1])]
    # Trailing zeros are no difference to NumPy for small seeds, whose derived seeds stay as they are.
    small = {derive(seed, *path) for seed in (0, 1, 5) for path in [(1,), (2,), (0, 1)]}
    large = {derive(seed, *path) for seed in LARGE for path in paths}
    assert len(small) == 9 and len(large) == len(LARGE) * len(paths) and not small & large


@pytest.mark.parametrize("given", [7, np.int64(7), np.array(7), 7.0, "7"])
def test_a_seed_of_any_kind_is_read(given):
    assert read_seed(given) == 7 and type(read_seed(given)) is int


def test_none_is_a_new_seed():
    assert read_seed(None) != read_seed("none")


@pytest.mark.parametrize("given", [-1, 1.5, True, np.False_, "x", LARGEST_SEED + 1, [1]])
def test_what_is_no_seed(given):
    with pytest.raises(LogpiError, match=r"seed is .*; allowed: a whole number, 0 … 2⁵¹² − 1"):
        read_seed(given)
