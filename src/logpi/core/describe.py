"""A method, completely, with its values."""

import wadler_lindig
from jaxtyping import PyTree


def describe(algorithm: PyTree) -> str:
    """The algorithm as text: every part, every value. What is printed is what runs.

    >>> from logpi import GAE
    >>> print(describe(GAE(0.99, 0.95)))
    GAE(gamma=0.99, gae_lambda=0.95)
    """
    return wadler_lindig.pformat(algorithm, width=100, hide_defaults=False, short_arrays=False)
