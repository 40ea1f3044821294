"""Algorithms as text."""

import wadler_lindig
from jaxtyping import PyTree


def describe(algorithm: PyTree) -> str:
    """Format an algorithm, or the one that a recipe composes, with every part and every value, defaults included.

    >>> from logpi import GAE
    >>> print(describe(GAE(0.99, 0.95)))
    GAE(gamma=0.99, gae_lambda=0.95)
    """
    return wadler_lindig.pformat(algorithm, width=100, hide_defaults=False, short_arrays=False)
