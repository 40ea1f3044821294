"""Gradient ascent with any Optax optimizer."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax import lax
from jaxtyping import Array, Float, Key, PyTree

from logpi.objectives.base import Objective
from logpi.types import Batch, Number, ravel
from logpi.updates.minibatches import Minibatches, full_batch, shuffled

Info = dict[str, Float[Array, ""]]

adam = functools.partial(optax.adam, eps=1e-5)
"""Adam with the ε that policy gradients are run with: gradients are often small here."""


class Ascent(eqx.Module):
    """Gradient ascent θ ← θ + α · optimizer(∇J(θ)), once per minibatch, `epochs` times over the batch.

    - `optimizer`: a function of the rate α that gives an Optax optimizer: `optax.adam`, or
      `functools.partial(optax.adam, eps=1e-5)`. θ reaches it as one flat vector (an update of 320 small Adam steps
      takes half the time so), so an optimizer that treats layers differently has no layers to see.
    - `learning_rate`: α > 0; a number, an array or a schedule. A new rate never recompiles.
    - `minibatch_size`: rows per step, ≥ 1; None (default) takes the whole batch.
    - `epochs`: passes over the batch, ≥ 1, default 1.
    - `max_grad_norm`: > 0; a longer ∇J is scaled to this Euclidean norm; None (default) never.

    A step whose objective or gradient is not finite is skipped and counted in `skipped_updates`.
    """

    optimizer: Callable[[Any], optax.GradientTransformation] = eqx.field(static=True)
    learning_rate: Number
    minibatch_size: int | None = eqx.field(static=True, default=None)
    epochs: int = eqx.field(static=True, default=1)
    max_grad_norm: Number | None = None

    def init(self, params: PyTree) -> PyTree:
        """Return the optimizer's state for these parameters."""
        return self.optimizer(0.0).init(ravel(params)[0])

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: PyTree, key: Key[Array, ""]
    ) -> tuple[PyTree, PyTree, Info]:
        """Return (θ', the optimizer's state, metrics): `gradient_norm` (mean over steps), `step_norm` ‖θ' − θ‖ …"""
        theta, unravel = ravel(params)
        transform = self.optimizer(self.learning_rate)

        def step(carry: PyTree, rows: Batch) -> PyTree:
            theta, opt, norms, skipped = carry
            value, gradient = jax.value_and_grad(lambda vector: objective.evaluate(unravel(vector), rows))(theta)
            norm = jnp.linalg.norm(gradient)
            with jax.numpy_dtype_promotion("standard"):  # Optax's Adam takes a float to an integer power
                change, moved = transform.update(-self._shorten(gradient, norm), opt, theta)  # it descends
            good = jnp.isfinite(norm) & jnp.isfinite(value)
            keep = lambda new, old: jnp.where(good, new, old)
            opt = jax.tree.map(keep, moved, opt)
            return (
                keep(theta + change, theta),
                opt,
                norms + keep(norm, 0.0),
                skipped + jnp.where(good, 0.0, 1.0),
            )

        start = (theta, opt, jnp.zeros(()), jnp.zeros(()))
        (new, opt, norms, skipped), steps = self._passes(step, start, objective, batch, key)
        info = {
            "gradient_norm": norms / jnp.maximum(steps - skipped, 1),
            "step_norm": jnp.linalg.norm(new - theta),
            "learning_rate": jnp.asarray(self.learning_rate, float),
            "skipped_updates": skipped,
        }
        return unravel(new), opt, info

    def _shorten(self, gradient: Array, norm: Array) -> Array:
        if self.max_grad_norm is None:
            return gradient
        return gradient * jnp.minimum(1.0, self.max_grad_norm / jnp.maximum(norm, 1e-12))

    def _passes(self, step: Callable, start: PyTree, objective: Objective, batch: Batch, key: Array) -> tuple:
        """Loop over epochs and minibatches; return the final carry and the number of steps."""

        def epoch(carry: PyTree, key: Array) -> tuple[PyTree, Array]:
            parts = self._cut(objective, batch, key)
            return lax.fori_loop(0, parts.count, lambda i, c: step(c, parts.take(i)), carry), parts.count

        carry, counts = lax.scan(epoch, start, jr.split(key, self.epochs))
        return carry, jnp.sum(counts, dtype=float)

    def _cut(self, objective: Objective, batch: Batch, key: Array) -> Minibatches:
        return (
            full_batch(batch)
            if self.minibatch_size is None
            else shuffled(batch, self.minibatch_size, objective.sampling_unit, key)
        )
