"""Successor observations of a rollout, however its observations are stored."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def with_next_obs(fields: dict[str, Any], where: Callable[..., Any] = jnp.where) -> dict[str, Any]:
    """Return the fields with `obs` and `next_obs`, [T, N, ...] each, from those of any store.

    Inside a compiled program, `next_obs` of a stored sequence is computed on the device: each observation is
    transferred once.

    - `where`: `jax.numpy.where` by default, or NumPy's.
    """
    if "next_obs" in fields or "obs" not in fields:
        return fields
    rest = {name: x for name, x in fields.items() if name not in ("obs", "final", "place")}
    next_obs = jax.tree.map(lambda x: x[1:], fields["obs"])
    if "final" in fields:
        place = fields["place"]
        ends = lambda x: (place >= 0).reshape(*place.shape, *[1] * (x.ndim - 2))
        next_obs = jax.tree.map(lambda x, end: where(ends(x), end[place], x), next_obs, fields["final"])
    return rest | {"obs": jax.tree.map(lambda x: x[:-1], fields["obs"]), "next_obs": next_obs}
