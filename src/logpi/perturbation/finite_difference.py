"""Finite differences: one coordinate of θ at a time."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from logpi.perturbation.protocol import Estimate
from logpi.types import Number


class FiniteDifference(eqx.Module):
    """Finite differences, ĝ_j = [U(θ + δ e_j) − U(θ − δ e_j)] / 2δ.

    With `forward_differences`, ĝ_j = [U(θ + δ e_j) − U(θ)] / δ.

    - `step`: δ > 0. The error is O(δ²), or O(δ) for forward differences; noise in U is divided by δ.

    The variance is that of the quotient over the K episodes of each member, divided by K; NaN for K = 1.

    Source: Liu's notes, "finite-difference gradient estimation"; Peters and Schaal 2006, "Policy gradient methods
    for robotics", on finite-difference methods.

        >>> import jax.numpy as jnp
        >>> plus, minus = jnp.array([[4.0, 1.0]]), jnp.array([[2.0, 1.0]])
        >>> FiniteDifference(0.5)(jnp.array([[0.5], [0.5]]), plus, minus, 2.0)[0]
        Array([2., 0.], dtype=float32)
    """

    step: Number

    def count(self, size: int, per_iteration: int) -> int:
        """Return P: one direction per coordinate, however many an iteration can try."""
        del per_iteration
        return size

    def directions(self, key: Key[Array, ""], size: int, index: Int[Array, " C"]) -> Float[Array, "C P"]:
        """Return δ e_j for each index j; zero beyond the last coordinate."""
        del key
        return self.step * jax.nn.one_hot(index, size, dtype=float)

    def keep(self, displacements: Float[Array, "C P"]) -> Float[Array, "C 1"]:
        """Keep δ alone, rounded as θ ± δ was: row j moves coordinate j, so the rest of it is zero."""
        return jnp.sum(displacements, axis=1, keepdims=True)

    def __call__(
        self,
        displacements: Float[Array, "M 1"],
        plus: Float[Array, "K M"],
        minus: Float[Array, "K M"],
        separation: float,
    ) -> Estimate:
        """Estimate ĝ by the quotients of differences.

        - `displacements`: δ of each coordinate, as kept by `keep`.
        - `plus`, `minus`: returns of K episodes on both sides of each direction.
        - `separation`: distance of the two sides in units of the displacement: 2 central, 1 forward.
        """
        quotient = (plus - minus) / (separation * displacements[:, 0])[None]
        episodes = quotient.shape[0]
        variance = jnp.var(quotient, axis=0, ddof=1) if episodes > 1 else jnp.full(quotient.shape[1], jnp.nan)
        return jnp.mean(quotient, axis=0), variance / episodes, {}
