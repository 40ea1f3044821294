"""Heads: a network's output vector ↦ distribution over actions."""

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
from logpi.distributions.grouped import Grouped
from logpi.distributions.independent import Independent
from logpi.distributions.product import Product
from logpi.distributions.reshaped import Reshaped
from logpi.distributions.squashed import Squashed
from logpi.types import Frozen


class CategoricalHead(eqx.Module):
    """Head of a categorical distribution: the output is its logits."""

    def __call__(self, logits: Float[Array, " K"]) -> Categorical:
        """Return the distribution over K actions."""
        return Categorical(logits)


LARGEST_PADDED, MOST_PADDING = 4096, 4  # numbers of a padded row, and their share per logit, that are worth no thought


class MultiCategoricalHead(eqx.Module):
    """Head of independent categorical distributions: the output is their logits, concatenated.

    - `sizes`: number of actions of each.
    """

    sizes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, logits: Float[Array, " K"]) -> Independent | Grouped:
        """Return the distribution over vectors of actions; short rows of logits are padded with −∞, illegal actions.

        Where padding would be most of a large array, runs of equal numbers of actions are kept apart.
        """
        longest, ends = max(self.sizes), itertools.accumulate(self.sizes)
        if min(self.sizes) == longest:
            return Independent(Categorical(logits.reshape(-1, longest)))
        padded = longest * len(self.sizes)
        if padded > LARGEST_PADDED and padded > MOST_PADDING * sum(self.sizes):
            return self._grouped(logits)
        padding = lambda n: jnp.full(longest - n, -jnp.inf, logits.dtype)
        rows = [jnp.concatenate([logits[end - n : end], padding(n)]) for n, end in zip(self.sizes, ends, strict=True)]
        return Independent(Categorical(jnp.stack(rows)))

    def _grouped(self, logits: Float[Array, " K"]) -> Grouped:
        """Return the distribution with a part for each run of dimensions of one number of actions."""
        runs = [(size, len(list(run))) for size, run in itertools.groupby(self.sizes)]
        ends = itertools.accumulate(size * count for size, count in runs)
        parts = tuple(
            Independent(Categorical(logits[end - size * count : end].reshape(count, size)))
            for (size, count), end in zip(runs, ends, strict=True)
        )
        return Grouped(parts, tuple(count for _, count in runs))


class BernoulliHead(eqx.Module):
    """Head of independent Bernoulli distributions: the output is their logits."""

    def __call__(self, logits: Float[Array, " A"]) -> Bernoulli:
        """Return the distribution over binary vectors."""
        return Bernoulli(logits)


class GaussianHead(eqx.Module):
    """Head of a Gaussian whose σ does not depend on the state: the output is its mean.

    Actions are in units of half the box: −1 … 1 is the range that a bounded space allows.

    - `log_std`: log σ, learned, or `Frozen` and constant.
    """

    log_std: Float[Array, " A"] | Frozen

    def __call__(self, mean: Float[Array, " A"]) -> Gaussian:
        """Return the distribution over action vectors."""
        return Gaussian(mean, self.log_std.value if isinstance(self.log_std, Frozen) else self.log_std)


class StateDependentGaussianHead(eqx.Module):
    """Head of a Gaussian whose σ depends on the state: the output is its mean and log σ/σ₀, concatenated.

    - `initial_std`: σ₀ > 0.
    """

    initial_std: float = eqx.field(static=True)

    def __call__(self, x: Float[Array, " A2"]) -> Gaussian:
        """Return the distribution over action vectors."""
        mean, log_ratio = jnp.split(x, 2)
        return Gaussian(mean, log_ratio + math.log(self.initial_std))


class TanhHead(eqx.Module):
    """Gaussian head with actions squashed into the bounds by tanh."""

    head: Callable[[Float[Array, " F"]], Gaussian]

    def __call__(self, x: Float[Array, " F"]) -> Squashed:
        """Return the distribution over action vectors."""
        return Squashed(self.head(x))


class ReshapeHead(eqx.Module):
    """Head of action vectors, reshaped to `shape`."""

    head: Callable[[Float[Array, " F"]], Any]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, " F"]) -> Reshaped:
        """Return the distribution over actions of that shape."""
        return Reshaped(self.head(x), self.shape)


class ProductHead(eqx.Module):
    """Tree of heads, one for each part of an action.

    - `sizes`: lengths of the slices of the output that the heads read, in the order of the leaves.
    """

    heads: PyTree
    sizes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, " F"]) -> Product:
        """Return the distribution over trees of actions."""
        heads, structure = jax.tree.flatten(self.heads, is_leaf=callable)
        slices = zip(heads, self.sizes, itertools.accumulate(self.sizes), strict=True)
        return Product(jax.tree.unflatten(structure, [head(x[end - n : end]) for head, n, end in slices]))
