"""Running statistics of observations and returns, carried by the networks and never trained.

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
    """Count, mean and variance of all rows so far."""

    count: Float[Array, ""]
    mean: Float[Array, "*D"]
    variance: Float[Array, "*D"]

    def absorb(self, x: Float[Array, "B *D"], valid: Bool[Array, " B"]) -> "Moments":
        """Return the moments with the valid rows of x added (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        rows = valid.reshape(-1, *[1] * (x.ndim - 1))
        n = jnp.sum(valid, dtype=float)
        divisor = jnp.maximum(n, 1)
        mean = jnp.sum(jnp.where(rows, x, 0), axis=0) / divisor
        variance = jnp.sum(jnp.where(rows, jnp.square(x - mean[None]), 0), axis=0) / divisor
        total = jnp.maximum(self.count + n, 1)
        shift = mean - self.mean
        weighted = (self.variance * self.count + variance * n) / total
        return Moments(
            count=self.count + n,
            mean=self.mean + shift * n / total,
            variance=jnp.where(n > 0, weighted + jnp.square(shift) * self.count * n / total**2, self.variance),
        )


def initial_moments(shape: tuple[int, ...]) -> Frozen:
    """Return the moments before any data: mean 0 and variance 1, which normalize nothing."""
    return Frozen(Moments(jnp.zeros(()), jnp.zeros(shape), jnp.ones(shape)))


class Normalize(eqx.Module):
    """Normalization x ↦ clip((encode(x) − mean) / √(variance + ε), ±limit), with running moments of observations.

    Entries of a Box alone are normalized; one-hot vectors and binary entries stay 0 and 1.
    """

    encode: Encoder
    moments: Frozen
    epsilon: float = eqx.field(static=True, default=1e-8)
    limit: float = eqx.field(static=True, default=10.0)

    def __call__(self, obs: PyTree) -> Float[Array, " D"]:
        """Return the normalized observation, a vector."""
        moments = self.moments.value
        x, normalized = self.encode(obs), self.encode.normalized_entries
        z = (x - moments.mean) / jnp.sqrt(moments.variance + self.epsilon)
        z = jnp.clip(z, -self.limit, self.limit)
        return z if all(normalized) else jnp.where(jnp.array(normalized), z, x)


class ReturnScale(eqx.Module):
    """Scaling x ↦ σ x by the running standard deviation of returns: a critic learns V/σ and predicts V."""

    moments: Frozen

    @property
    def sigma(self) -> Float[Array, ""]:
        """Standard deviation of the returns so far; 1 before any, and while all are equal."""
        variance = self.moments.value.variance
        return jnp.where(variance > 1e-8, jnp.sqrt(variance), 1.0)

    def __call__(self, x: Float[Array, ""]) -> Float[Array, ""]:
        """Return the value in the task's own units."""
        return x * self.sigma


class Identity(eqx.Module):
    """Identity x ↦ x, in place of a normalization."""

    def __call__(self, x: Float[Array, "*D"]) -> Float[Array, "*D"]:
        """Return the input."""
        return x


def update_statistics(tree: PyTree, obs: PyTree, returns: Float[Array, " B"], valid: Bool[Array, " B"]) -> PyTree:
    """Update all running statistics in a tree of networks from the valid rows.

    - `obs`, `returns`: rows of raw observations, and their returns.
    """

    def update(node: PyTree) -> PyTree:
        if isinstance(node, Normalize):
            x = map_rows(node.encode, 1, obs)
        elif isinstance(node, ReturnScale):
            x = returns
        else:
            return node
        return eqx.tree_at(lambda n: n.moments, node, Frozen(node.moments.value.absorb(x, valid)))

    return jax.tree.map(update, tree, is_leaf=lambda n: isinstance(n, Normalize | ReturnScale))


def return_scale(critic: PyTree) -> Float[Array, ""]:
    """Return the σ of a critic's `ReturnScale`; 1 if it has none."""
    nodes = jax.tree.leaves(critic, is_leaf=lambda n: isinstance(n, ReturnScale))
    return next((node.sigma for node in nodes if isinstance(node, ReturnScale)), jnp.ones(()))
