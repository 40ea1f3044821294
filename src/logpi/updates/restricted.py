"""Gradient steps of a given Euclidean length."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from logpi.objectives.base import Objective
from logpi.types import Batch, Number, ravel

Info = dict[str, Float[Array, ""]]


class NormConstrainedStep(eqx.Module):
    """Normalized gradient step θ + √(2ε) ∇J / ‖∇J‖: the best step of the linearized problem under ½ ‖Δθ‖² ≤ ε.

    - `epsilon`: ε > 0, half the squared step length; or `NormConstrainedStep.with_length(‖Δθ‖)`.

    Any objective can be used, the linear one of a perturbation estimate too. A zero or non-finite gradient makes no
    step. The change of the *policy* is not bounded: a short step in θ can be a long one in π (see `NaturalGradient`).
    Source: Liu's notes, "restricted gradient".
    """

    epsilon: Number

    @classmethod
    def with_length(cls, length: float) -> "NormConstrainedStep":
        """Make an update whose steps have this Euclidean length: ε = ½ length²."""
        return cls(0.5 * length**2)

    def init(self, params: PyTree) -> PyTree:
        """Return the empty state."""
        del params
        return ()

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: PyTree, key: Key[Array, ""]
    ) -> tuple[PyTree, PyTree, Info]:
        """Return (θ', the empty state, metrics): `gradient_norm`, `step_norm`, `skipped_updates`."""
        del key
        theta, unravel = ravel(params)
        gradient = jax.grad(lambda vector: objective.evaluate(unravel(vector), batch))(theta)
        norm = jnp.linalg.norm(gradient)
        good = jnp.isfinite(norm) & (norm > 0)
        length = jnp.where(good, jnp.sqrt(2 * self.epsilon), 0.0)
        new = jnp.where(good, theta + length * gradient / jnp.where(good, norm, 1), theta)
        skipped = jnp.where(jnp.isfinite(norm), 0.0, 1.0)
        return unravel(new), opt, {"gradient_norm": norm, "step_norm": length, "skipped_updates": skipped}
