"""Which members of a population stand on the two sides of each difference of returns."""

from typing import NamedTuple

import numpy as np

from logpi.errors import LogpiError


class PopulationLayout(NamedTuple):
    """Member i is θ + offset[i] · Δ[row[i]]; direction j compares the members plus[j] and minus[j].

    `span` is how far apart they stand, in units of Δ.
    """

    row: np.ndarray
    offset: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    separation: float


def central_differences(members: int) -> PopulationLayout:
    """Antithetic pairs, θ + Δ beside θ − Δ: even terms of U cancel, so the error is O(‖Δ‖²). N / 2 directions.

    Pairs share their random numbers under `Episodes(group=2)`. Raises LogpiError for an odd number.

        >>> central_differences(4).offset
        array([ 1., -1.,  1., -1.])
    """
    if members < 2 or members % 2:
        raise LogpiError(f"num_envs is {members}; allowed: an even number, as central differences come in pairs")
    place = np.arange(members)
    return PopulationLayout(place // 2, 1.0 - 2.0 * (place % 2), place[::2], place[1::2], 2.0)


def forward_differences(members: int) -> PopulationLayout:
    """θ itself, then θ + Δ for every direction: the error is O(‖Δ‖). N − 1 directions.

    All compare with the first, so all should share their random numbers: `Episodes(group=N)`. Raises LogpiError for
    fewer than two members.

        >>> forward_differences(4).offset
        array([0., 1., 1., 1.])
    """
    if members < 2:
        raise LogpiError(f"num_envs is {members}; allowed: at least 2, as forward differences need θ itself beside it")
    place = np.arange(members)
    return PopulationLayout(np.maximum(place - 1, 0), (place > 0).astype(float), place[1:], 0 * place[1:], 1.0)
