"""Products with the Fisher matrix of a policy."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from logpi.objectives.base import mean
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Batch

Vector = Float[Array, " P"]


def fisher_product(
    unravel: Callable[[Vector], Any], theta: Vector, batch: Batch, damping: float | Array = 0.0
) -> Callable[[Vector], Vector]:
    """Make the function v ↦ (F + damping · I) v,  F = E[∇log π ∇log πᵀ] = ∇² KL(π_θ‖π_θ') at θ' = θ.

    - `unravel`: vector ↦ policy.
    - `theta`: θ [P].
    - `batch`: F is the mean over the states of its valid rows.
    - `damping`: ≥ 0, default 0.

    With η(θ) the parameters of the distributions, F = Jᵀ M J, where J = ∂η/∂θ and M = ∂²KL/∂η²: exact, because ∇KL
    vanishes at θ, and a product costs one pass forward and one back where the Hessian of KL(θ) would cost twice that.
    Everything that does not depend on v is computed once.

    Source: Martens 2014, §9; Schulman et al. 2015 (TRPO), appendix C.1.
    """
    outputs = lambda vector: evaluate_policy(unravel(vector), batch)
    here, push = jax.linearize(outputs, theta)
    pull = jax.linear_transpose(push, theta)
    _, curve = jax.linearize(jax.grad(lambda there: mean(here.kl(there), batch)), here)
    return lambda v: pull(curve(push(v)))[0] + damping * v
