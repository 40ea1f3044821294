"""Updates that adapt a coefficient to the measured KL(π_old‖π); the coefficient lives in `opt`."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from logpi.distributions.divergence import Direction, forward
from logpi.objectives.base import Objective, mean
from logpi.objectives.penalized import Divergence
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Batch, Number
from logpi.updates.ascent import Ascent
from logpi.updates.protocol import Update

Info = dict[str, Float[Array, ""]]
Opt = tuple[Float[Array, ""], Any]


class AdaptivePenalty(eqx.Module):
    """Adaptive KL penalty: an update of J − β KL(π_old‖π) that adapts β.

    β is doubled where the mean KL > 1.5 · target and halved where it is < target / 1.5.

    - `update`: improves the penalized objective; give it the epochs, so that β adapts once an iteration.
    - `target`: desired mean KL, > 0, in nats.
    - `penalty`: initial β > 0, default 1.
    - `direction`: of the KL that is penalized and measured: `forward` (default), or `reverse` for KL(π‖π_old).

    Source: Schulman et al. 2017 (PPO), §4.
    """

    update: Update
    target: Number
    penalty: Number = 1.0
    direction: Direction = eqx.field(static=True, default=forward)

    def init(self, params: PyTree) -> Opt:
        """Return (β, the inner update's state)."""
        return jnp.asarray(self.penalty, float), self.update.init(params)

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: Opt, key: Key[Array, ""]
    ) -> tuple[PyTree, Opt, Info]:
        """Return (θ', (β', inner state), the inner update's metrics and `penalty`)."""
        beta, inner = opt
        params, inner, info = self.update(objective + (-beta) * Divergence(self.direction), params, batch, inner, key)
        kl = _mean_kl(params, batch, self.direction)
        more, less = kl > 1.5 * self.target, kl < self.target / 1.5
        return params, (beta * jnp.where(more, 2.0, jnp.where(less, 0.5, 1.0)), inner), info | {"penalty": beta}


class AdaptiveRate(eqx.Module):
    """Adaptive learning rate: an ascent whose rate α follows the mean KL.

    α is divided by `factor` where KL > 2 · target and multiplied by it where KL < target / 2.

    - `update`: an `Ascent`; its learning rate is the initial α.
    - `target`: desired mean KL, > 0, in nats.
    - `factor`: > 1, default 1.5.
    - `lowest`, `highest`: bounds of α, default 1e-6 and 1e-2.

    Source: the adaptive schedule of Schulman's 2016 PPO code, as Rudin et al. 2021 describe it.
    """

    update: Ascent
    target: Number
    factor: Number = 1.5
    lowest: Number = 1e-6
    highest: Number = 1e-2

    def init(self, params: PyTree) -> Opt:
        """Return (α, the inner update's state)."""
        return jnp.asarray(self.update.learning_rate, float), self.update.init(params)

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: Opt, key: Key[Array, ""]
    ) -> tuple[PyTree, Opt, Info]:
        """Return (θ', (α', inner state), the inner update's metrics, `learning_rate` α among them)."""
        rate, inner = opt
        params, inner, info = dataclasses.replace(self.update, learning_rate=rate)(objective, params, batch, inner, key)
        kl = _mean_kl(params, batch)
        down, up = kl > 2 * self.target, kl < self.target / 2
        rate = rate * jnp.where(down, 1 / self.factor, jnp.where(up, self.factor, 1.0))
        return params, (jnp.clip(rate, self.lowest, self.highest), inner), info


def _mean_kl(params: PyTree, batch: Batch, direction: Direction = forward) -> Float[Array, ""]:
    return mean(direction(batch.old, evaluate_policy(params, batch)), batch)
