"""Central and forward differences: which members of a population are compared for each direction."""

from typing import NamedTuple

import numpy as np

from logpi.errors import LogpiError


class PopulationLayout(NamedTuple):
    """Roles of the N members of a population: member i has parameters θ + offset[i] · Δ[row[i]].

    - `row`: index of the direction that disindexs each member, int [N].
    - `offset`: factor of its disindexment, float [N].
    - `plus`, `minus`: indices of the two members that are compared for each direction, int [M].
    - `separation`: distance of the two members in units of Δ.
    """

    row: np.ndarray
    offset: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    separation: float


def central_differences(members: int) -> PopulationLayout:
    """Lay out antithetic pairs, θ + Δ next to θ − Δ, for N / 2 directions.

    Even terms of U cancel, so the error is O(‖Δ‖²). Pairs share their random numbers under `Episodes(group=2)`. Raises
    LogpiError for an odd number of members.

        >>> central_differences(4).offset
        array([ 1., -1.,  1., -1.])
    """
    if members < 2 or members % 2:
        raise LogpiError(f"num_envs is {members}; allowed: an even number, as central differences come in pairs")
    index = np.arange(members)
    return PopulationLayout(index // 2, 1.0 - 2.0 * (index % 2), index[::2], index[1::2], 2.0)


def forward_differences(members: int) -> PopulationLayout:
    """Lay out θ itself, followed by θ + Δ for each of N − 1 directions. The error is O(‖Δ‖).

    All members are compared with the first, so all should share their random numbers: `Episodes(group=N)`. Raises
    LogpiError for fewer than two members.

        >>> forward_differences(4).offset
        array([0., 1., 1., 1.])
    """
    if members < 2:
        raise LogpiError(f"num_envs is {members}; allowed: at least 2, as forward differences compare with θ itself")
    index = np.arange(members)
    return PopulationLayout(np.maximum(index - 1, 0), (index > 0).astype(float), index[1:], 0 * index[1:], 1.0)
