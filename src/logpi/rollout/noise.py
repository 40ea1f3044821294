"""A rollout's noise: drawn once, in one call, and handed to whoever acts."""

import jax
import jax.random as jr
from jaxtyping import Array, Key, PyTree

from logpi.policies.behaviour import Behaviour


def draw(mu: Behaviour, obs: PyTree, key: Key[Array, ""], length: int) -> PyTree:
    """Noise for `length` steps of acting on observations shaped like `obs[N]`: leaves [length, N, ...].

    Noise depends on shapes alone, so the same key gives the same draws on the device and on the host.
    """
    return jax.vmap(mu(obs).noise)(jr.split(key, length))
