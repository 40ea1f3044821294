"""What observations follow which, whichever way they were kept."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def with_next_obs(fields: dict[str, Any], where: Callable[..., Any] = jnp.where) -> dict[str, Any]:
    """The fields with `obs` and `next_obs` [T, N, ...], whichever way they were kept; in JAX unless `where` is NumPy's.

    On the device `next_obs` of what was kept once is part of the program that reads it: nothing is sent twice.
    """
    if "next_obs" in fields or "obs" not in fields:
        return fields
    rest = {name: x for name, x in fields.items() if name not in ("obs", "final", "place")}
    following = jax.tree.map(lambda x: x[1:], fields["obs"])
    if "final" in fields:
        place = fields["place"]
        spread = lambda x: (place >= 0).reshape(*place.shape, *[1] * (x.ndim - 2))
        following = jax.tree.map(lambda x, end: where(spread(x), end[place], x), following, fields["final"])
    return rest | {"obs": jax.tree.map(lambda x: x[:-1], fields["obs"]), "next_obs": following}
