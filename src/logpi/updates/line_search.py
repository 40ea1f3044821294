"""Line search along the gradient within a Euclidean ball."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key, PyTree

from logpi.objectives.base import Objective, require_meaningful_value
from logpi.types import Batch, Number, ravel

Info = dict[str, Float[Array, ""]]


class NormConstrainedLineSearch(eqx.Module):
    """Line search for max J(θ + Δθ), ½ ‖Δθ‖² ≤ ε, along the gradient: the best of the lengths √(2ε) αⁱ.

    `NormConstrainedStep` takes the longest of these whatever J does there. If J(θ) is larger than J at each of them, θ
    stays unchanged, bit for bit.

    - `epsilon`: ε > 0, half the squared length of the longest step.
    - `backtracks`: number of lengths tried, ≥ 1, default 10.
    - `backtrack_ratio`: α in (0, 1), default 0.5.

    Raises LogpiError for an objective whose values cannot be compared, such as `ImportanceWeighted`. The change of the
    *policy* is not bounded (see `TrustRegion`). Source: Liu's notes, "restricted gradient".
    """

    epsilon: Number
    backtracks: int = eqx.field(static=True, default=10)
    backtrack_ratio: Number = 0.5

    def init(self, params: PyTree) -> PyTree:
        """Return the empty state."""
        del params
        return ()

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: PyTree, key: Key[Array, ""]
    ) -> tuple[PyTree, PyTree, Info]:
        """Return (θ', the empty state, metrics): `gradient_norm`, `step_norm`, `gain` in J, `skipped_updates`."""
        del key
        require_meaningful_value(objective, self, "NormConstrainedStep")
        theta, unravel = ravel(params)
        value = lambda vector: objective.evaluate(unravel(vector), batch)
        before, gradient = jax.value_and_grad(value)(theta)
        norm = jnp.linalg.norm(gradient)
        good = jnp.isfinite(norm) & (norm > 0)
        direction = jnp.where(good, gradient / jnp.where(good, norm, 1), 0)
        lengths = jnp.sqrt(2 * self.epsilon) * self.backtrack_ratio ** jnp.arange(self.backtracks, dtype=float)
        gains = lax.map(lambda length: value(theta + length * direction) - before, lengths)
        gains = jnp.where(jnp.isfinite(gains), gains, -jnp.inf)
        best = jnp.argmax(gains)
        better = good & (gains[best] > 0)
        new = jnp.where(better, theta + lengths[best] * direction, theta)
        return (
            unravel(new),
            opt,
            {
                "gradient_norm": norm,
                "step_norm": jnp.where(better, lengths[best], 0.0),
                "gain": jnp.where(better, gains[best], 0.0),
                "skipped_updates": jnp.where(jnp.isfinite(norm), 0.0, 1.0),
            },
        )
