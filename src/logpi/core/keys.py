"""The root of a run's random keys."""

import jax
from jaxtyping import Array, Key

from logpi.core.seeds import words


def root_key(seed: int) -> Key[Array, ""]:
    """Make the random key of a seed ≥ 0: `jax.random.key(seed)` below 2³², and a key of its own for every larger seed.

    JAX takes the lowest 32 bits of a seed alone, and without x64 no more than 64.
    """
    low, *higher = words(seed)
    key = jax.random.key(low)
    for word in higher:
        key = jax.random.fold_in(key, word)
    return key
