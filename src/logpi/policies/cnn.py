"""Convolutional networks for policies and critics of image observations."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import Array, Float, Key

from logpi.policies.action_masking import masked
from logpi.policies.critic import Critic
from logpi.policies.head_for_space import head_for_space
from logpi.policies.images import image_encoder
from logpi.policies.mlp import MLP
from logpi.policies.normalization import Identity, ReturnScale, initial_moments
from logpi.policies.policy import Policy
from logpi.spaces.pair import SpacePair

LARGE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
SMALL = ((16, 3, 1), (32, 2, 2))
"""Filters, their width, their stride (a divisor of the width): of the layers for large images and for small ones."""


class Convolution(eqx.Module):
    """x ↦ relu(w ⋆ x + b), without padding, or with as many zeros around x as give ⌈H/stride⌉ × ⌈W/stride⌉ answers.

    Written as one product of matrices: the picture is cut into blocks of stride × stride, and what a filter sees is a
    few of them side by side. XLA's own convolution takes ten times as long on a CPU inside a compiled loop, and NumPy
    has none.
    """

    weight: Float[Array, "K K I O"]
    bias: Float[Array, " O"]
    stride: int = eqx.field(static=True)
    padded: bool = eqx.field(static=True)

    def __call__(self, x: Float[Array, "H W I"]) -> Float[Array, "H2 W2 O"]:
        """One layer."""
        width, _, inputs, filters = self.weight.shape
        s, m = self.stride, width // self.stride
        x = _padded(_padded(x, 0, width, s), 1, width, s) if self.padded else x
        high, wide = x.shape[0] // s, x.shape[1] // s
        cut = x[: high * s, : wide * s].reshape(high, s, wide, s, inputs)
        blocks = cut.transpose(0, 2, 1, 3, 4).reshape(high, wide, s * s * inputs)
        windows = [blocks[i : high - m + 1 + i, j : wide - m + 1 + j] for i in range(m) for j in range(m)]
        weight = self.weight.reshape(m, s, m, s, inputs, filters).transpose(0, 2, 1, 3, 4, 5).reshape(-1, filters)
        return jax.nn.relu(jnp.concatenate(windows, axis=-1) @ weight + self.bias[None, None])


def _padded(x: Float[Array, "H W I"], axis: int, width: int, stride: int) -> Float[Array, "H2 W2 I"]:
    """Zeros at both ends of an axis, so that ⌈n/stride⌉ windows fit."""
    n = x.shape[axis]
    missing = max((-(-n // stride) - 1) * stride + width - n, 0)
    zeros = lambda k: jnp.zeros((*x.shape[:axis], k, *x.shape[axis + 1 :]), x.dtype)
    return jnp.concatenate([zeros(missing // 2), x, zeros(missing - missing // 2)], axis=axis) if missing else x


class Convolutions(eqx.Module):
    """The features of one picture.

    From 36 × 36 up: 32 filters of 8 × 8 with stride 4, 64 of 4 × 4 with stride 2, 64 of 3 × 3 with stride 1, without
    padding (Mnih et al. 2015). Below: 16 of 3 × 3 with stride 1 and 32 of 2 × 2 with stride 2, padded, so that one
    pixel is enough. Weights are orthogonal with gain √2, biases zero.
    """

    layers: tuple[Convolution, ...]

    def __init__(self, shape: Sequence[int], *, key: Key[Array, ""]):
        """Layers for pictures of shape (H, W, C)."""
        large = min(shape[:2]) >= 36
        sizes = LARGE if large else SMALL
        inputs = [shape[2], *[filters for filters, _, _ in sizes]]
        orthogonal = jax.nn.initializers.orthogonal(2**0.5)
        self.layers = tuple(
            Convolution(orthogonal(k, (width, width, i, filters)), jnp.zeros(filters), stride, not large)
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
    normalize: bool = False,
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
    encode, shapes, rest = image_encoder(observation_space, normalize)
    read, outputs = head_for_space(action_space, std, squash, initial_std)
    network = CNN(shapes, rest, (*hidden, outputs), 0.01, key=key)
    policy = Policy(encode, network, read, SpacePair(observation_space, action_space))
    return masked(policy, observation_space, action_space)


def cnn_critic(
    observation_space: spaces.Space,
    *,
    hidden: Sequence[int] = (64, 64),
    normalize: bool = False,
    normalize_returns: bool = False,
    key: Key[Array, ""],
) -> Critic:
    """A critic for observations that are, or hold, pictures; its options are those of `mlp_critic`."""
    encode, shapes, rest = image_encoder(observation_space, normalize)
    scale = ReturnScale(initial_moments(())) if normalize_returns else Identity()
    return Critic(encode, CNN(shapes, rest, (*hidden, 1), 1.0, key=key), scale)
