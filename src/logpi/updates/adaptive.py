"""Updates that tune themselves by how far they moved the policy; what they learn lives in `opt`."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from logpi.objectives.base import Objective, mean
from logpi.objectives.penalized import divergence
from logpi.policies.evaluate import evaluate_policy
from logpi.types import Batch, Number
from logpi.updates.ascent import Ascent

Info = dict[str, Float[Array, ""]]
Opt = tuple[Float[Array, ""], Any]


class AdaptivePenalty(eqx.Module):
    """An update of J − β KL(π_old‖π), with β doubled where KL > 1.5 · target and halved where KL < target / 1.5.

    - `update`: what improves the penalized objective; give it the epochs, so that β adapts once an iteration.
    - `target`: the mean KL to aim at, in nats.
    - `penalty`: the first β.

    Source: Schulman et al. 2017 (PPO), §4.
    """

    update: Any
    target: Number
    penalty: Number = 1.0

    def init(self, params: PyTree) -> Opt:
        """(β, the inner update's state)."""
        return jnp.asarray(self.penalty, float), self.update.init(params)

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: Opt, key: Key[Array, ""]
    ) -> tuple[PyTree, Opt, Info]:
        """(θ', (β', …), the inner update's figures and `penalty`)."""
        beta, inner = opt
        params, inner, info = self.update(objective + (-beta) * divergence, params, batch, inner, key)
        moved = _moved(params, batch)
        more, less = moved > 1.5 * self.target, moved < self.target / 1.5
        return params, (beta * jnp.where(more, 2.0, jnp.where(less, 0.5, 1.0)), inner), info | {"penalty": beta}


class AdaptiveRate(eqx.Module):
    """An ascent whose rate is divided by `factor` where KL > 2 · target, and multiplied where KL < target / 2.

    - `update`: an `Ascent`; its own rate is the first.
    - `target`: the mean KL to aim at, in nats.
    - `factor`: above 1.
    - `lowest`, `highest`: what the rate is held between.

    Source: the adaptive schedule of Schulman's 2016 PPO code, as Rudin et al. 2021 describe it.
    """

    update: Ascent
    target: Number
    factor: Number = 1.5
    lowest: Number = 1e-6
    highest: Number = 1e-2

    def init(self, params: PyTree) -> Opt:
        """(α, the inner update's state)."""
        return jnp.asarray(self.update.learning_rate, float), self.update.init(params)

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: Opt, key: Key[Array, ""]
    ) -> tuple[PyTree, Opt, Info]:
        """(θ', (α', …), the inner update's figures, `learning_rate` α among them)."""
        rate, inner = opt
        params, inner, info = dataclasses.replace(self.update, learning_rate=rate)(objective, params, batch, inner, key)
        moved = _moved(params, batch)
        down, up = moved > 2 * self.target, moved < self.target / 2
        rate = rate * jnp.where(down, 1 / self.factor, jnp.where(up, self.factor, 1.0))
        return params, (jnp.clip(rate, self.lowest, self.highest), inner), info


def _moved(params: PyTree, batch: Batch) -> Float[Array, ""]:
    return mean(batch.old.kl(evaluate_policy(params, batch)), batch)
