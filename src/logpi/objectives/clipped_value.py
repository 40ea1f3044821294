"""J = −½ E[max((V − R)², (V_near − R)²)]: a critic that is not paid for moving further than ε at a time."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, mean
from logpi.objectives.evaluated import at_rows
from logpi.policies.normalization import return_scale
from logpi.types import Batch


class ClippedValue(Objective):
    """−½ mean(max((V − R)², (V_near − R)²)) over valid rows, V_near = V_old + clip(V − V_old, ±ε), in units of σ.

    A row whose V has moved beyond ε towards its target R pulls no further. Where V's errors are large beside the
    policy's gradient, and one norm shortens both, that leaves more of it to the policy. ε → ∞ is `value`; σ is the
    critic's running scale of returns, 1 without one.

    V_old is R − Φ: the credit must be an advantage whose target is Φ + V, as GAE, TDResidual and NStep are.

    - `clip_range`: ε > 0; a number, an array or a schedule.

    Source: no equation of Schulman et al. 2017, but their implementation; Engstrom et al. 2020, section 3, item 1.
    """

    vf_clip_range: Any

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """Minus half the mean of the larger squared error, in units of σ."""
        sigma = return_scale(params)
        before, target = (batch.target - batch.credit) / sigma, batch.target / sigma
        now = self.predict(params, batch) / sigma
        near = before + jnp.clip(now - before, -self.vf_clip_range, self.vf_clip_range)
        return -0.5 * mean(jnp.maximum(jnp.square(now - target), jnp.square(near - target)), batch)

    def predict(self, params: PyTree, batch: Batch) -> Float[Array, "*B"]:
        """V(s) of every row."""
        return at_rows(params, batch)
