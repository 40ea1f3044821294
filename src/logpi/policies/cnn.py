"""Convolutional networks, for policies and critics that look at pictures."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jax import lax
from jaxtyping import Array, Float, Key

from logpi.policies.critic import Critic
from logpi.policies.head import head
from logpi.policies.masked import masked
from logpi.policies.mlp import MLP
from logpi.policies.normalise import Scale, Unchanged, nothing_seen
from logpi.policies.pictures import sight
from logpi.policies.policy import Policy

LARGE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
SMALL = ((16, 3, 1), (32, 3, 2))
"""Filters, their width, their stride: of the layers for large pictures and for small ones."""


class Convolution(eqx.Module):
    """x ↦ relu(w ⋆ x + b), the picture padded with zeros or not at all."""

    weight: Float[Array, "K K I O"]
    bias: Float[Array, " O"]
    stride: int = eqx.field(static=True)
    padding: str = eqx.field(static=True)

    def __call__(self, x: Float[Array, "H W I"]) -> Float[Array, "H2 W2 O"]:
        """One layer."""
        strides, layout = (self.stride, self.stride), ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x[None], self.weight, strides, self.padding, dimension_numbers=layout)[0]
        return jax.nn.relu(x + self.bias[None, None])


class Convolutions(eqx.Module):
    """The features of one picture.

    From 36 × 36 up: 32 filters of 8 × 8 with stride 4, 64 of 4 × 4 with stride 2, 64 of 3 × 3 with stride 1, without
    padding (Mnih et al. 2015). Below: 16 filters of 3 × 3 with stride 1 and 32 with stride 2, padded, so that one
    pixel is enough. Weights are orthogonal with gain √2, biases zero.
    """

    layers: tuple[Convolution, ...]

    def __init__(self, shape: Sequence[int], *, key: Key[Array, ""]):
        """Layers for pictures of shape (H, W, C)."""
        sizes, padding = (LARGE, "VALID") if min(shape[:2]) >= 36 else (SMALL, "SAME")
        inputs = [shape[2], *[filters for filters, _, _ in sizes]]
        orthogonal = jax.nn.initializers.orthogonal(2**0.5)
        self.layers = tuple(
            Convolution(orthogonal(k, (width, width, i, filters)), jnp.zeros(filters), stride, padding)
            for i, (filters, width, stride), k in zip(inputs, sizes, jr.split(key, len(sizes)), strict=False)
        )

    def __call__(self, x: Float[Array, "H W C"]) -> Float[Array, " F"]:
        """The last layer's output in a row."""
        for layer in self.layers:
            x = layer(x)
        return jnp.ravel(x)


class CNN(eqx.Module):
    """Convolutions of each picture; their features and the rest of what is seen in one MLP."""

    convolutions: tuple[Convolutions, ...]
    mlp: MLP

    def __init__(
        self,
        shapes: Sequence[Sequence[int]],
        rest: int,
        sizes: Sequence[int],
        last_gain: float,
        *,
        key: Key[Array, ""],
    ):
        """For pictures of these shapes (H, W, C) beside `rest` numbers; `sizes` are the MLP's layers but the first."""
        k_mlp, *keys = jr.split(key, len(shapes) + 1)
        self.convolutions = tuple(Convolutions(shape, key=k) for shape, k in zip(shapes, keys, strict=True))
        seen = zip(self.convolutions, shapes, strict=True)
        features = sum(math.prod(jax.eval_shape(c, jnp.zeros(shape)).shape) for c, shape in seen)
        self.mlp = MLP((features + rest, *sizes), last_gain, key=k_mlp)

    def __call__(self, x: tuple[tuple[Float[Array, "..."], ...], Float[Array, " D"]]) -> Float[Array, " O"]:
        """The network's output for (pictures, rest)."""
        pictures, rest = x
        features = [look(picture) for look, picture in zip(self.convolutions, pictures, strict=True)]
        return self.mlp(jnp.concatenate([*features, rest]))


def cnn_policy(
    observation_space: spaces.Space,
    action_space: spaces.Space,
    *,
    hidden: Sequence[int] = (64, 64),
    normalise: bool = False,
    std: str = "learned",
    squash: bool = False,
    initial_std: float = 1.0,
    key: Key[Array, ""],
) -> Any:
    """A policy for observations that are, or hold, pictures; its options are those of `mlp_policy`.

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> from gymnasium import spaces
    >>> screen = spaces.Box(0, 255, (84, 84, 4), np.uint8)
    >>> policy = cnn_policy(screen, spaces.Discrete(6), key=jax.random.key(0))
    >>> policy(jnp.zeros((84, 84, 4), jnp.uint8)).logits.shape
    (6,)
    """
    encode, shapes, rest = sight(observation_space, normalise)
    read, outputs = head(action_space, std, squash, initial_std)
    policy = Policy(encode, CNN(shapes, rest, (*hidden, outputs), 0.01, key=key), read)
    return masked(policy, observation_space, action_space)


def cnn_critic(
    observation_space: spaces.Space,
    *,
    hidden: Sequence[int] = (64, 64),
    normalise: bool = False,
    normalise_returns: bool = False,
    key: Key[Array, ""],
) -> Critic:
    """A critic for observations that are, or hold, pictures; its options are those of `mlp_critic`."""
    encode, shapes, rest = sight(observation_space, normalise)
    scale = Scale(nothing_seen(())) if normalise_returns else Unchanged()
    return Critic(encode, CNN(shapes, rest, (*hidden, 1), 1.0, key=key), scale)
