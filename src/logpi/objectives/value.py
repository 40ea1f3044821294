"""J = −½ E[(V − target)²]: what a critic is fitted by."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from logpi.objectives.base import Objective, at_actions, mean
from logpi.objectives.evaluated import at_rows
from logpi.policies.normalization import return_scale
from logpi.types import Batch


class Value(Objective):
    """−½ mean((V_φ(s) − target)² / σ²) over valid rows; σ is the critic's running scale of returns, 1 without one.

    A mean whatever the batch's scale: a fit to targets is no sum over an episode.

    - `read`: (critic, batch) ↦ its answers; `value` asks for V(s), `action_value` for Q(s, a).
    """

    predict: Callable[[Any, Batch], Float[Array, "*B"]] = eqx.field(static=True, default=at_rows)

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """Minus half the mean squared error, in units of σ."""
        error = (self.predict(params, batch) - batch.target) / return_scale(params)
        return -0.5 * mean(error**2, batch)


value = Value()
action_value = Value(at_actions)


class CriticTerm(Objective):
    """An objective of the critic, asked of a policy and critic learned together (`ActorCritic`)."""

    objective: Objective

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The objective at `params.critic`."""
        return self.objective(params.critic, batch)
