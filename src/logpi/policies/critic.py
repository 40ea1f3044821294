"""Critics V(s): the expected return from a state."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
from gymnasium import spaces
from jaxtyping import Array, Float, Key, PyTree

from logpi.policies.mlp import MLP
from logpi.policies.normalization import Identity, ReturnScale, initial_moments
from logpi.policies.policy import encoding


class Critic(eqx.Module):
    """Critic V_φ: obs ↦ V(s), in the task's own units of return.

    Any callable PyTree from one raw observation to a scalar can stand in its place.
    """

    encode: Callable[[PyTree], Any]
    network: Callable[[Any], Float[Array, " 1"]]
    scale: ReturnScale | Identity

    def __call__(self, obs: PyTree) -> Float[Array, ""]:
        """Compute V(s) of one raw observation."""
        return self.scale(self.network(self.encode(obs))[0])


class ActorCritic(eqx.Module):
    """A policy and its critic as one tree of parameters, for learning both at once; it acts as the policy."""

    policy: PyTree
    critic: PyTree

    def __call__(self, obs: PyTree) -> PyTree:
        """Compute π(·|obs) of one raw observation."""
        return self.policy(obs)


def mlp_critic(
    observation_space: spaces.Space,
    *,
    hidden: Sequence[int] = (64, 64),
    normalize: bool = False,
    normalize_returns: bool = False,
    key: Key[Array, ""],
) -> Critic:
    """Make a critic with a tanh MLP for the given observations.

    - `hidden`: sizes of the hidden layers, default (64, 64).
    - `normalize`: keep running statistics of observations and normalize by them.
    - `normalize_returns`: keep running statistics of returns and learn V/σ.
    """
    encode, size = encoding(observation_space, normalize)
    scale = ReturnScale(initial_moments(())) if normalize_returns else Identity()
    return Critic(encode, MLP((size, *hidden, 1), 1.0, key=key), scale)
