"""J = −½ E[max((V − R)², (V_near − R)²)]: a critic's fit that gains nothing by moving V further than ε at a time."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from logpi.objectives.base import mean
from logpi.objectives.outputs import Outputs
from logpi.objectives.value import CriticObjective
from logpi.policies.normalization import return_scale
from logpi.types import Batch, Number


class ClippedValue(CriticObjective):
    """−½ mean(max((V − R)², (V_near − R)²)) over valid rows, V_near = V_old + clip(V − V_old, ±ε), in units of σ.

    A row whose V has moved beyond ε towards its target R contributes no further gradient. Where V's errors are large
    beside the policy's gradient, and one norm clip shortens both, that leaves more of the norm to the policy. ε → ∞ is
    `value`; σ is the critic's running scale of returns, 1 without one.

    V_old is R − Φ: the credit must be an advantage whose target is Φ + V, as those of GAE, TDResidual and NStep are.

    - `vf_clip_range`: ε > 0, in units of σ; a number, an array or a schedule.

    Source: no equation of Schulman et al. 2017, but their implementation; Engstrom et al. 2020, section 3, item 1.
    """

    vf_clip_range: Number

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return minus half the mean of the larger squared error, in units of σ."""
        sigma = return_scale(outputs.critic)
        old, target = (batch.target - batch.credit) / sigma, batch.target / sigma
        new = self.predict(outputs) / sigma
        near = old + jnp.clip(new - old, -self.vf_clip_range, self.vf_clip_range)
        return -0.5 * mean(jnp.maximum(jnp.square(new - target), jnp.square(near - target)), batch)

    def predict(self, outputs: Outputs) -> Float[Array, "*B"]:
        """Return V(s) of every row."""
        return outputs.value
