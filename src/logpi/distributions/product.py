"""Independent distributions of several kinds as one: a tree of distributions."""

import functools
import operator

import equinox as eqx
import jax
import jax.random as jr
from jaxtyping import Array, Float, Key, PyTree

from logpi.distributions.protocol import numpy_sampler


class Product(eqx.Module):
    """π(a) = Π_i π_i(a_i): `parts` is a tree of distributions, and actions are trees of the same structure.

    >>> import jax.numpy as jnp, logpi
    >>> coin, ball = logpi.Categorical(jnp.zeros(2)), logpi.Gaussian(jnp.zeros(3), jnp.zeros(3))
    >>> Product({"coin": coin, "balls": ball}).mode()["balls"].shape
    (3,)
    """

    parts: PyTree

    def noise(self, key: Key[Array, ""]) -> PyTree:
        """Noise of every part, each from its own key."""
        leaves, structure = jax.tree.flatten(self.parts, is_leaf=_is_distribution)
        keys = jr.split(key, len(leaves))
        return jax.tree.unflatten(structure, [part.noise(k) for part, k in zip(leaves, keys, strict=True)])

    def push(self, noise: PyTree) -> PyTree:
        """Actions of all parts."""
        return self._each("push", noise)

    def sample(self, key: Key[Array, ""]) -> PyTree:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str] | None:
        """Samplers of all parts in the order of the noise's leaves, or None if one part has none."""
        parts = [numpy_sampler(part) for part in jax.tree.leaves(self.parts, is_leaf=_is_distribution)]
        return None if None in parts else [text for part in parts for text in part or []]

    def log_prob(self, action: PyTree) -> Float[Array, "*B"]:
        """Σ_i log π_i(a_i)."""
        return _sum(self._each("log_prob", action))

    def entropy(self) -> Float[Array, "*B"]:
        """Σ_i H(π_i), in nats."""
        return _sum(self._each("entropy"))

    def kl(self, other: "Product") -> Float[Array, "*B"]:
        """KL(self‖other) = Σ_i KL(π_i‖π'_i), in nats."""
        return _sum(self._each("kl", other.parts))

    def mode(self) -> PyTree:
        """Modes of all parts."""
        return self._each("mode")

    def to_env(self, action: PyTree) -> PyTree:
        """The action with every part mapped by its distribution's `to_env`."""
        return self._each("to_env", action)

    def _each(self, method: str, *trees: PyTree) -> PyTree:
        """Call `method` of every part with the corresponding subtrees as arguments."""
        call = lambda part, *arguments: getattr(part, method)(*arguments)
        return jax.tree.map(call, self.parts, *trees, is_leaf=_is_distribution)


def _is_distribution(node: object) -> bool:
    """Leaf test for trees of distributions (they are PyTrees themselves)."""
    return hasattr(node, "log_prob")


def _sum(tree: PyTree) -> Float[Array, "*B"]:
    return functools.reduce(operator.add, jax.tree.leaves(tree))
