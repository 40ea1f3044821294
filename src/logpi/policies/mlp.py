"""The multi-layer perceptron, initialised as policy gradients like it."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Key


class Linear(eqx.Module):
    """x ↦ xW + b."""

    weight: Float[Array, "I O"]
    bias: Float[Array, " O"]

    def __call__(self, x: Float[Array, " I"]) -> Float[Array, " O"]:
        """One affine map."""
        return x @ self.weight + self.bias


class MLP(eqx.Module):
    """Affine maps with tanh between them.

    Weights are orthogonal with gain √2, the last layer's with `last_gain`: a small one (0.01) makes the first policy
    nearly uniform whatever it sees (Andrychowicz et al. 2021, §3.2). Biases are zero.
    """

    layers: tuple[Linear, ...]

    def __init__(self, sizes: Sequence[int], last_gain: float, *, key: Key[Array, ""]):
        """Layers of the given sizes, input first and output last."""
        gains = [2**0.5] * (len(sizes) - 2) + [last_gain]
        keys = jr.split(key, len(gains))
        self.layers = tuple(
            Linear(jax.nn.initializers.orthogonal(gain)(k, (i, o)), jnp.zeros(o))
            for i, o, gain, k in zip(sizes[:-1], sizes[1:], gains, keys, strict=True)
        )

    def __call__(self, x: Float[Array, " I"]) -> Float[Array, " O"]:
        """The network's output for one input."""
        for layer in self.layers[:-1]:
            x = jnp.tanh(layer(x))
        return self.layers[-1](x)
