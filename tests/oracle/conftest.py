"""Exact answers are compared in double precision."""

import pytest
from helpers import double_precision


@pytest.fixture
def double():
    """Arrays of 64 bits."""
    with double_precision():
        yield


@pytest.fixture(params=["two-state", "grid", "cliff", "random", "ending"])
def name(request):
    """The name of a small problem."""
    return request.param


@pytest.fixture(params=[None, 4], ids=["infinite", "finite"])
def mdp(double, name, request):
    """A small problem, with and without a horizon."""
    from worlds import WORLDS

    return WORLDS[name](request.param)


@pytest.fixture
def finite(double, name):
    """A small problem whose trajectories can all be listed."""
    from worlds import WORLDS

    return WORLDS[name](4)


@pytest.fixture(params=range(5))
def drawn(double, request):
    """One of five problems drawn at random, with an end that comes sooner or later: (horizon) ↦ MDP."""
    from worlds import drawn

    return lambda horizon: drawn(request.param, horizon)
