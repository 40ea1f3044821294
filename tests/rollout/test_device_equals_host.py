"""One deterministic environment, one key: the device and the host collect the same trajectory."""

import dataclasses

import numpy as np
import pytest
from builders import behavior, on_device, on_host, walks
from helpers import mostly_slow

from logpi.core.collection import Episodes, Steps

COLLECTS = mostly_slow([Steps(30), Episodes(episodes_per_env=2), Episodes()], 2)


def pairs(key, collect, **options):
    """Every field's valid rows as the device has them and as the host has them."""
    device, host = walks(6, 12, **options)
    mu = behavior(device, key, normalize=True)
    here, there = on_device(device, mu, collect, key), on_host(host, mu, collect, key)
    assert here.complete == there.complete == collect.complete
    np.testing.assert_array_equal(here.valid, there.valid)
    rows = np.asarray(here.valid)
    assert rows.sum() > 40 and len({a.tobytes() for a in np.moveaxis(np.asarray(here.action), 1, 0)}) > 3
    for field in dataclasses.fields(here):
        if field.name not in ("complete", "memory"):
            yield field.name, *(np.asarray(getattr(tau, field.name))[rows] for tau in (here, there))


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("collect", COLLECTS, ids=str)
def test_discrete_trajectories_are_equal(key, collect):
    for name, here, there in pairs(key, collect):
        np.testing.assert_allclose(here, there, atol=1e-5 if name == "log_prob" else 0, rtol=0, err_msg=name)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("collect", COLLECTS, ids=str)
def test_continuous_trajectories_are_equal_to_rounding(key, collect):
    for name, here, there in pairs(key, collect, continuous=True):
        np.testing.assert_allclose(here, there, atol=1e-5, rtol=0, err_msg=name)
