"""Independent seeds derived from a run's seed, one for each purpose."""

import secrets

import numpy as np

from logpi.core.scalars import integer_within
from logpi.errors import LogpiError, shown

TRAINING, EVALUATION, SELECTION = 0, 1, 2  # selection: choosing the best policy of a run
DEMONSTRATION = 3  # episodes collected as demonstrations
LARGEST_SEED = 2**512 - 1  # as many digits as the name of a directory takes
WORD = 2**32  # random number generators take seeds as words of 32 bits
ALLOWED = "a whole number, 0 … 2⁵¹² − 1, or None for one drawn at random"


def read_seed(given: object) -> int:
    """Read a seed: a whole number of any kind, or None (text: none) for a new one from the operating system.

    Raises LogpiError for all else.
    """
    if given is None or (isinstance(given, str) and given.lower() == "none"):
        return secrets.randbelow(WORD)
    seed = integer_within(given, 0, LARGEST_SEED)
    if seed is None:
        raise LogpiError(f"seed is {shown(given)}; allowed: {ALLOWED}")
    return seed


def words(seed: int) -> list[int]:
    """Split a seed into its words of 32 bits, the lowest first; one word for all seeds below 2³²."""
    split = [seed % WORD]
    while seed := seed // WORD:
        split.append(seed % WORD)
    return split


def derive(seed: int, *path: int) -> int:
    """Derive a 31-bit seed for a purpose: derive(seed, EVALUATION), derive(seed, TRAINING, iteration), …"""
    # NumPy joins the words of all numbers. Of larger seeds they would be those of a smaller seed and a path: as a
    # spawn key, the path is kept apart; it must not be empty.
    joined = (
        np.random.SeedSequence((seed, *path)) if seed < WORD else np.random.SeedSequence(seed, spawn_key=(0, *path))
    )
    return int(joined.generate_state(1)[0]) >> 1
