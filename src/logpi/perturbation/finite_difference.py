"""One coordinate at a time."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from logpi.perturbation.protocol import Estimate
from logpi.types import Number


class FiniteDifference(eqx.Module):
    """ĝ_j = [U(θ + δ e_j) − U(θ − δ e_j)] / 2δ; or, paired `forward_differences`, [U(θ + δ e_j) − U(θ)] / δ.

    - `step`: δ > 0. The error is O(δ²), or O(δ) forward; noise in U is divided by δ.

    Its variance is that of the quotient over the K episodes of each member, divided by K; NaN for K = 1.
    Source: Liu's notes, "finite-difference gradient estimation"; Peters and Schaal 2006, "Policy gradient methods
    for robotics", on finite-difference methods.

        >>> import jax.numpy as jnp
        >>> plus, minus = jnp.array([[4.0, 1.0]]), jnp.array([[2.0, 1.0]])
        >>> FiniteDifference(0.5)(jnp.array([[0.5], [0.5]]), plus, minus, 2.0)[0]
        Array([2., 0.], dtype=float32)
    """

    step: Number

    def count(self, size: int, at_once: int) -> int:
        """As many as there are coordinates."""
        del at_once
        return size

    def directions(self, key: Key[Array, ""], size: int, index: Int[Array, " C"]) -> Float[Array, "C P"]:
        """δ e_j for each number j; nothing beyond the last coordinate."""
        del key
        return self.step * jax.nn.one_hot(index, size, dtype=float)

    def keep(self, moved: Float[Array, "C P"]) -> Float[Array, "C 1"]:
        """δ as floats made it: the coordinate is known by its number."""
        return jnp.sum(moved, axis=1, keepdims=True)

    def __call__(
        self, kept: Float[Array, "M 1"], plus: Float[Array, "K M"], minus: Float[Array, "K M"], span: float
    ) -> Estimate:
        """The quotients of differences."""
        quotient = (plus - minus) / (span * kept[:, 0])[None]
        episodes = quotient.shape[0]
        spread = jnp.var(quotient, axis=0, ddof=1) if episodes > 1 else jnp.full(quotient.shape[1], jnp.nan)
        return jnp.mean(quotient, axis=0), spread / episodes, {}
