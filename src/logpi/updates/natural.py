"""The natural gradient: the steepest step where distance is measured between policies, not parameters."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from logpi.errors import LogpiError
from logpi.objectives.base import Objective
from logpi.policies.critic import ActorCritic
from logpi.types import Batch, Number, ravel
from logpi.updates.conjugate_gradient import conjugate_gradient
from logpi.updates.fisher import fisher_product
from logpi.updates.minibatches import every_kth

Info = dict[str, Float[Array, ""]]
Vector = Float[Array, " P"]


@runtime_checkable
class NaturalSettings(Protocol):
    """Settings of `natural_step`; see `NaturalGradient` for their meaning."""

    max_kl: Number
    iterations: int
    damping: Number
    fisher_stride: int


class NaturalGradient(eqx.Module):
    """Natural gradient step θ + √(2δ / gᵀF⁻¹g) F⁻¹g: the best step of the linearized problem under ½ Δθᵀ F Δθ ≤ δ.

    F⁻¹g by conjugate gradients on Fisher-vector products. The policy that results is the same however π is
    parameterized (with no damping, to first order), and its mean KL from the old one is δ to second order.

    - `max_kl`: δ > 0, in nats.
    - `iterations`: number of conjugate-gradient iterations, ≥ 1, default 10.
    - `damping`: multiple of the identity added to F, ≥ 0, default 1e-3; more makes steps steadier and shorter.
    - `fisher_stride`: F is averaged over every k-th row, k ≥ 1, default 1.

    A zero gradient makes no step; where F has a direction of negative curvature or something is not finite, θ stays
    unchanged and `skipped_updates` counts it. Source: Kakade 2002; Lovatto's deck, Algorithm 2.
    """

    max_kl: Number
    iterations: int = eqx.field(static=True, default=10)
    damping: Number = 1e-3
    fisher_stride: int = eqx.field(static=True, default=1)

    def init(self, params: PyTree) -> PyTree:
        """Return the empty state. Raises LogpiError for a policy and critic learned jointly."""
        return refuse_joint(params)

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: PyTree, key: Key[Array, ""]
    ) -> tuple[PyTree, PyTree, Info]:
        """Return (θ', the empty state, metrics): see `natural_step`."""
        del key
        theta, unravel, step, info = natural_step(self, objective, params, batch)
        return unravel(theta + step), opt, info | {"step_norm": jnp.linalg.norm(step)}


def natural_step(
    settings: NaturalSettings, objective: Objective, params: PyTree, batch: Batch
) -> tuple[Vector, Callable[[Vector], PyTree], Vector, Info]:
    """Compute (θ, vector ↦ params, the step √(2δ / gᵀF⁻¹g) F⁻¹g, metrics).

    - `settings`: an update with the fields of `NaturalGradient`.

    Metrics: `gradient_norm`, `cg_residual` ‖g − Fx‖/‖g‖, `cg_iterations`, `damping`, `predicted_improvement` gᵀΔθ.
    """
    theta, unravel = ravel(params)
    g = jax.grad(lambda vector: objective.evaluate(unravel(vector), batch))(theta)
    product = fisher_product(unravel, theta, every_kth(batch, settings.fisher_stride), settings.damping)
    solution = conjugate_gradient(product, g, settings.iterations)
    slope = g @ solution.x
    good = solution.positive & (slope > 0) & jnp.isfinite(slope)
    scale = jnp.sqrt(2 * settings.max_kl / jnp.where(good, slope, 1))
    step = jnp.where(good, scale * solution.x, 0)
    norm = jnp.linalg.norm(g)
    info = {
        "gradient_norm": norm,
        "cg_residual": solution.residual,
        "cg_iterations": solution.iterations.astype(float),
        "damping": jnp.asarray(settings.damping, float),
        "predicted_improvement": g @ step,
        "skipped_updates": jnp.where(good | (norm == 0), 0.0, 1.0),
    }
    return theta, unravel, step, info


def refuse_joint(params: PyTree) -> tuple[()]:
    """Return the empty state if the parameters are those of a policy; raise LogpiError for an `ActorCritic`."""
    if isinstance(params, ActorCritic):
        raise LogpiError('a natural gradient is a policy\'s alone: give V a fit of its own instead of fit="joint"')
    return ()
