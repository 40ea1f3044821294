"""Vectors of choices whose numbers of actions differ much: runs of equal ones side by side."""

import itertools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from logpi.distributions.independent import Independent
from logpi.distributions.product import Product


class Grouped(eqx.Module):
    """π(a) = Π_g π_g(a_g) over one vector a = (a_1, a_2, …), as a `Product` of its consecutive parts.

    One `Independent` needs logits of one length for all entries: of counts 2000, 2, 2, … it would hold 2000 each.

    - `parts`: distributions of the parts, in order.
    - `sizes`: their numbers of entries.

    >>> import logpi
    >>> many, coins = (Independent(logpi.Categorical(jnp.zeros(shape))) for shape in [(1, 2000), (3, 2)])
    >>> Grouped((many, coins), (1, 3)).mode().shape
    (4,)
    """

    parts: tuple[Independent, ...]
    sizes: tuple[int, ...] = eqx.field(static=True)

    def noise(self, key: Key[Array, ""]) -> PyTree:
        """Noise of every part, each from its own key."""
        return self._product.noise(key)

    def push(self, noise: PyTree) -> Int[Array, "*B A"]:
        """Actions of all parts, as one vector."""
        return self._join(self._product.push(noise))

    def sample(self, key: Key[Array, ""]) -> Int[Array, "*B A"]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str] | None:
        """Samplers of all parts, or None if one has none."""
        return self._product.numpy_sampler()

    def log_prob(self, action: Int[Array, "*B A"]) -> Float[Array, "*B"]:
        """Σ_g log π_g(a_g)."""
        return self._product.log_prob(self._split(action))

    def entropy(self) -> Float[Array, "*B"]:
        """Σ_g H(π_g), in nats."""
        return self._product.entropy()

    def kl(self, other: "Grouped") -> Float[Array, "*B"]:
        """KL(self‖other) = Σ_g KL(π_g‖π'_g), in nats."""
        return self._product.kl(other._product)

    def mode(self) -> Int[Array, "*B A"]:
        """Modes of all parts, as one vector."""
        return self._join(self._product.mode())

    def to_env(self, action: Int[Array, "*B A"]) -> Int[Array, "*B A"]:
        """The action as the parts' `to_env` map it."""
        return self._join(self._product.to_env(self._split(action)))

    @property
    def _product(self) -> Product:
        return Product(self.parts)

    def _split(self, action: Int[Array, "*B A"]) -> tuple[Int[Array, "..."], ...]:
        ends = list(itertools.accumulate(self.sizes))
        return tuple(action[..., end - size : end] for size, end in zip(self.sizes, ends, strict=True))

    def _join(self, actions: tuple[Int[Array, "..."], ...]) -> Int[Array, "*B A"]:
        return jnp.concatenate(actions, axis=-1)
