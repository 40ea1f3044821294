"""The trust region of TRPO: a natural step, shortened by backtracking until KL and objective allow it."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key, PyTree

from logpi.distributions.divergence import forward
from logpi.objectives.base import Objective, mean, require_meaningful_value
from logpi.objectives.outputs import Outputs
from logpi.types import Batch, Number
from logpi.updates.natural import natural_step, refuse_joint

Info = dict[str, Float[Array, ""]]


class TrustRegion(eqx.Module):
    """Trust-region step θ + αⁱ Δθ for the first i with J(θ + αⁱΔθ) ≥ J(θ) and mean KL ≤ δ.

    Δθ is the natural step of length δ. If no i < `backtracks` satisfies both, θ stays unchanged, bit for bit.

    - `max_kl`: δ > 0, in nats; the KL is exact, over all valid rows.
    - `iterations`, `damping` (default 0.1), `fisher_stride`: as in `NaturalGradient`.
    - `backtracks`: number of steps tried, the full one among them; ≥ 1, default 10.
    - `backtrack_ratio`: α in (0, 1), default 0.8.
    - `divergence`: `forward` (default), KL(π_old‖π_new), or `reverse`.

    Raises LogpiError for an objective whose values cannot be compared, such as `ImportanceWeighted`.

    Source: Schulman et al. 2015 (TRPO), appendix C; Lovatto's deck, Algorithms 3 and 4.
    """

    max_kl: Number
    iterations: int = eqx.field(static=True, default=10)
    damping: Number = 0.1
    fisher_stride: int = eqx.field(static=True, default=1)
    backtracks: int = eqx.field(static=True, default=10)
    backtrack_ratio: Number = 0.8
    divergence: Callable[[Any, Any], Float[Array, "*B"]] = eqx.field(static=True, default=forward)

    def init(self, params: PyTree) -> PyTree:
        """Return the empty state. Raises LogpiError for a policy and critic learned jointly."""
        return refuse_joint(params)

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: PyTree, key: Key[Array, ""]
    ) -> tuple[PyTree, PyTree, Info]:
        """Return (θ', the empty state, metrics of `natural_step` and of the backtracking)."""
        del key
        require_meaningful_value(objective, self, "NaturalGradient")
        theta, unravel, step, info = natural_step(self, objective, params, batch)
        outputs = Outputs(params, batch)
        before, old = objective(outputs, batch), outputs.pi

        def gain(vector: Array) -> tuple[Array, Array]:
            """Compute the gain in J of a candidate θ, and whether it satisfies both conditions."""
            candidate = Outputs(unravel(vector), batch)
            better = objective(candidate, batch) - before
            far = mean(self.divergence(old, candidate.pi), batch)
            return better, (better >= 0) & (far <= self.max_kl)

        def shorten(loop: tuple) -> tuple:
            i, _, _, _ = loop
            share = self.backtrack_ratio**i
            return (i + 1, share, *gain(theta + share * step))

        start = (jnp.zeros(()), jnp.ones(()), jnp.zeros(()), jnp.asarray(False))
        tries, share, better, accepted = lax.while_loop(
            lambda loop: (loop[0] < self.backtracks) & ~loop[3], shorten, start
        )
        new = jnp.where(accepted, theta + share * step, theta)
        return (
            unravel(new),
            opt,
            info
            | {
                "step_norm": jnp.linalg.norm(new - theta),
                "surrogate_improvement": jnp.where(accepted, better, 0.0),
                "backtracks": tries - 1,
                "accepted_steps": jnp.where(accepted, 1.0, 0.0),
            },
        )
