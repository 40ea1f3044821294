"""Sums in about twice the digits of the device's floats, and their values in double on the host."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from logpi.core.undefined import UNDEFINED, nan_where_undefined


class Double(eqx.Module):
    """Numbers as unevaluated sums `high + low` of two floats: 48 bits where JAX computes in 32.

    A return is a sum of many rewards: as one float32 it stands still at 16,777,216 (2²⁴) however many ones follow.

    - `high`, `low`: arrays of one shape; `high` is the sum rounded to a float.

    Source: Knuth 1969 (two-sum).
    """

    high: Float[Array, "*S"]
    low: Float[Array, "*S"]

    @classmethod
    def zeros(cls, *shape: int) -> "Double":
        """Make zeros of this shape."""
        return cls(jnp.zeros(shape), jnp.zeros(shape))

    def __add__(self, other: "Double | Float[Array, '*S']") -> "Double":
        """Add floats, or such sums."""
        x, rest = (other.high, other.low) if isinstance(other, Double) else (other, jnp.zeros_like(other))
        total = self.high + x
        part = total - self.high
        error = (self.high - (total - part)) + (x - part)
        low = jnp.where(jnp.isfinite(total), self.low + rest + error, 0)
        high = total + low
        return Double(high, jnp.where(jnp.isfinite(high), low - (high - total), 0))

    def where(self, keep: Bool[Array, "*S"], otherwise: float = 0.0) -> "Double":
        """Keep the numbers where `keep` is True, and put one number in place of the others."""
        return Double(jnp.where(keep, self.high, otherwise), jnp.where(keep, self.low, 0))

    def sum(self) -> "Double":
        """Sum all numbers, in pairs."""
        numbers = jax.tree.map(jnp.ravel, self)
        while (count := numbers.high.size) > 1:
            half = count // 2
            first, second, odd = (
                jax.tree.map(lambda x, part=part: x[part], numbers)
                for part in (slice(half), slice(half, 2 * half), slice(2 * half, count))
            )
            numbers = jax.tree.map(lambda *x: jnp.concatenate(x), first + second, odd)
        return jax.tree.map(lambda x: x[0], numbers)

    def max(self) -> "Double":
        """Return the largest number."""
        high = jnp.max(self.high)
        return Double(high, jnp.max(jnp.where(self.high == high, self.low, -jnp.inf)))

    def min(self) -> "Double":
        """Return the smallest number."""
        high = jnp.min(self.high)
        return Double(high, jnp.min(jnp.where(self.high == high, self.low, jnp.inf)))


class Ratio(eqx.Module):
    """A figure that is divided on the host, in double: `numerator / denominator`; `UNDEFINED` as numerator is NaN."""

    numerator: Double
    denominator: Float[Array, "*S"]

    def host_value(self) -> np.float64 | np.ndarray:
        """Return the figure as a double, after a program has returned its parts as NumPy's numbers."""
        high, low, divisor = (
            np.asarray(x, np.float64) for x in (self.numerator.high, self.numerator.low, self.denominator)
        )
        return np.where(high == UNDEFINED, np.nan, (high + low) / divisor)[()]


def host_metrics(metrics: Any) -> Any:
    """Return the metrics of a program that has returned, on the host: ratios in double, NaN for what is undefined."""
    is_ratio = lambda x: isinstance(x, Ratio)
    value = lambda x: x.host_value() if is_ratio(x) else nan_where_undefined(x)
    return jax.tree.map(value, metrics, is_leaf=is_ratio)
