"""Figures that are not defined yet."""

import numpy as np

from logpi.core.undefined import UNDEFINED, nan_where_undefined


def test_undefined_figures_become_nan_and_no_others():
    figures = {"mean": np.float32(UNDEFINED), "rows": np.array([1, UNDEFINED], np.float32), "steps": np.int32(3)}
    shown = nan_where_undefined(figures | {"wide": np.float64(UNDEFINED), "low": np.float32(-3e38)})
    assert np.isnan(shown["mean"]) and np.isnan(shown["wide"])
    assert shown["rows"][0] == 1 and np.isnan(shown["rows"][1])
    assert shown["steps"] == 3 and shown["low"] == np.float32(-3e38)
