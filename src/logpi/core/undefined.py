"""Figures that are not defined yet, such as the mean return before an episode has ended."""

from typing import Any

import jax
import numpy as np

UNDEFINED = float(np.finfo(np.float32).min)
"""Stands for an undefined figure in compiled programs: with `jax_debug_nans`, NaN would be an error there."""


def nan_where_undefined(figures: Any) -> Any:
    """Replace `UNDEFINED` by NaN in a tree of NumPy's numbers, after a program has returned."""
    return jax.tree.map(_nan_where_undefined, figures)


def _nan_where_undefined(x: Any) -> Any:
    if not np.issubdtype(np.asarray(x).dtype, np.floating):
        return x
    return np.where(x == np.float32(UNDEFINED), np.asarray(np.nan, x.dtype), x)[()]
