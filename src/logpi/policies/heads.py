"""Heads: what reads a network's output as a distribution over actions."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.distributions.bernoulli import Bernoulli
from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.independent import Independent
from logpi.distributions.product import Product
from logpi.distributions.reshaped import Reshaped
from logpi.distributions.squashed import Squashed
from logpi.types import Frozen


class CategoricalHead(eqx.Module):
    """Reads a network's output as the logits of a categorical distribution."""

    def __call__(self, logits: Float[Array, " K"]) -> Categorical:
        """The distribution over K actions."""
        return Categorical(logits)


class MultiCategoricalHead(eqx.Module):
    """Reads a network's output as the logits of one categorical distribution after the other, of the given sizes."""

    sizes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, logits: Float[Array, " K"]) -> Independent:
        """The distribution over vectors of choices. Rows shorter than the longest end in choices that are illegal."""
        longest, ends = max(self.sizes), itertools.accumulate(self.sizes)
        if min(self.sizes) == longest:
            return Independent(Categorical(logits.reshape(-1, longest)))
        padding = lambda n: jnp.full(longest - n, -jnp.inf, logits.dtype)
        rows = [jnp.concatenate([logits[end - n : end], padding(n)]) for n, end in zip(self.sizes, ends, strict=True)]
        return Independent(Categorical(jnp.stack(rows)))


class BernoulliHead(eqx.Module):
    """Reads a network's output as the logits of switches."""

    def __call__(self, logits: Float[Array, " A"]) -> Bernoulli:
        """The distribution over vectors of switches."""
        return Bernoulli(logits)


class GaussianHead(eqx.Module):
    """Reads a network's output as the mean of a Gaussian whose σ is the same in every state.

    log σ is learned, or `Frozen` and stays as it is. Actions are in units of half the box: −1 … 1 is what the
    environment allows, where it is bounded.
    """

    log_std: Float[Array, " A"] | Frozen

    def __call__(self, mean: Float[Array, " A"]) -> Gaussian:
        """The distribution over vectors of actions."""
        return Gaussian(mean, self.log_std.value if isinstance(self.log_std, Frozen) else self.log_std)


class StateDependentGaussianHead(eqx.Module):
    """Reads half of a network's output as the mean of a Gaussian, the other half as log σ/σ₀."""

    initial_std: float = eqx.field(static=True)

    def __call__(self, x: Float[Array, " A2"]) -> Gaussian:
        """The distribution over vectors of actions."""
        mean, log_ratio = jnp.split(x, 2)
        return Gaussian(mean, log_ratio + math.log(self.initial_std))


class TanhHead(eqx.Module):
    """A Gaussian head, its actions squashed into the bounds by tanh."""

    head: Callable[[Float[Array, " F"]], Gaussian]

    def __call__(self, x: Float[Array, " F"]) -> Squashed:
        """The distribution over vectors of actions."""
        return Squashed(self.head(x))


class ReshapeHead(eqx.Module):
    """A head of vectors, its actions laid out in `shape`."""

    head: Callable[[Float[Array, " F"]], Any]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, " F"]) -> Reshaped:
        """The distribution over actions of that shape."""
        return Reshaped(self.head(x), self.shape)


class ProductHead(eqx.Module):
    """A tree of heads, each reading its own stretch of a network's output: `sizes`, in the order of the leaves."""

    heads: PyTree
    sizes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, " F"]) -> Product:
        """The distribution over trees of actions."""
        heads, structure = jax.tree.flatten(self.heads, is_leaf=callable)
        stretches = zip(heads, self.sizes, itertools.accumulate(self.sizes), strict=True)
        return Product(jax.tree.unflatten(structure, [head(x[end - n : end]) for head, n, end in stretches]))
