"""Running statistics of observations and returns: carried by the networks, never trained.

They are frozen while acting, learning and evaluating, and absorb new data once, at the end of an iteration.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from logpi.policies.encoder import Encoder
from logpi.policies.evaluate import map_rows
from logpi.types import Frozen


class Moments(eqx.Module):
    """Count, mean and variance of all rows seen so far."""

    count: Float[Array, ""]
    mean: Float[Array, "*D"]
    variance: Float[Array, "*D"]

    def absorb(self, x: Float[Array, "B *D"], valid: Bool[Array, " B"]) -> "Moments":
        """The moments with the valid rows of x added (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        rows = valid.reshape(-1, *[1] * (x.ndim - 1))
        n = jnp.sum(valid, dtype=float)
        safe = jnp.maximum(n, 1)
        mean = jnp.sum(jnp.where(rows, x, 0), axis=0) / safe
        variance = jnp.sum(jnp.where(rows, jnp.square(x - mean[None]), 0), axis=0) / safe
        total = jnp.maximum(self.count + n, 1)
        shift = mean - self.mean
        blended = (self.variance * self.count + variance * n) / total
        return Moments(
            count=self.count + n,
            mean=self.mean + shift * n / total,
            variance=jnp.where(n > 0, blended + jnp.square(shift) * self.count * n / total**2, self.variance),
        )


def initial_moments(shape: tuple[int, ...]) -> Frozen:
    """The moments before any data: mean 0 and variance 1, so that they change nothing."""
    return Frozen(Moments(jnp.zeros(()), jnp.zeros(shape), jnp.ones(shape)))


class Normalize(eqx.Module):
    """x ↦ clip((encode(x) − mean) / √(variance + ε), ±limit), with the running moments of all observations so far.

    Quantities alone, the numbers of a Box, are normalized; unit vectors and switches stay 0 and 1.
    """

    encode: Encoder
    moments: Frozen
    epsilon: float = eqx.field(static=True, default=1e-8)
    limit: float = eqx.field(static=True, default=10.0)

    def __call__(self, obs: PyTree) -> Float[Array, " D"]:
        """The normalized observation, as a vector."""
        moments = self.moments.value
        x, measured = self.encode(obs), self.encode.normalized_entries
        z = (x - moments.mean) / jnp.sqrt(moments.variance + self.epsilon)
        z = jnp.clip(z, -self.limit, self.limit)
        return z if all(measured) else jnp.where(jnp.array(measured), z, x)


class ReturnScale(eqx.Module):
    """x ↦ σ x, with σ the running standard deviation of the returns: lets a critic learn V/σ and answer V."""

    moments: Frozen

    @property
    def sigma(self) -> Float[Array, ""]:
        """The standard deviation of the returns so far; 1 before any, and while they are all equal."""
        variance = self.moments.value.variance
        return jnp.where(variance > 1e-8, jnp.sqrt(variance), 1.0)

    def __call__(self, x: Float[Array, ""]) -> Float[Array, ""]:
        """The value in the task's own units."""
        return x * self.sigma


class Identity(eqx.Module):
    """x ↦ x: in the place of a normalization that is not wanted."""

    def __call__(self, x: Float[Array, "*D"]) -> Float[Array, "*D"]:
        """The input itself."""
        return x


def update_statistics(tree: PyTree, obs: PyTree, returns: Float[Array, " B"], valid: Bool[Array, " B"]) -> PyTree:
    """The tree with all its running statistics brought up to date from the valid rows."""

    def renew(node: PyTree) -> PyTree:
        if isinstance(node, Normalize):
            x = map_rows(node.encode, 1, obs)
        elif isinstance(node, ReturnScale):
            x = returns
        else:
            return node
        return eqx.tree_at(lambda n: n.moments, node, Frozen(node.moments.value.absorb(x, valid)))

    return jax.tree.map(renew, tree, is_leaf=lambda n: isinstance(n, Normalize | ReturnScale))


def return_scale(critic: PyTree) -> Float[Array, ""]:
    """The σ that a critic measures values in: 1 if it keeps no statistics of returns."""
    nodes = jax.tree.leaves(critic, is_leaf=lambda n: isinstance(n, ReturnScale))
    return next((node.sigma for node in nodes if isinstance(node, ReturnScale)), jnp.ones(()))
