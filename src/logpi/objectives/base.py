"""Objectives: scalars whose gradient at θ_old is the policy gradient."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.objectives.evaluated import evaluated
from logpi.policies.evaluate import evaluate_action_critic
from logpi.types import Batch, Number


class Objective(eqx.Module):
    """(params, batch) ↦ J(θ; batch), to be maximized: Σ over valid rows / batch.scale.

    Objectives add and scale: `Clipped(0.2) + 0.01 * entropy`. `unit` says what may be shuffled into minibatches:
    single `"step"` rows, or whole `"trajectory"` columns. `info` gives figures for people.
    """

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The objective's value."""
        raise NotImplementedError

    @property
    def sampling_unit(self) -> str:
        """`"step"`: rows may be shuffled."""
        return "step"

    @property
    def has_meaningful_value(self) -> bool:
        """Whether two θ can be told apart by its value; else only its gradient means something."""
        return True

    def info(self, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Figures for people; none unless the objective has some."""
        del params, batch
        return {}

    def __add__(self, other: "Objective") -> "Sum":
        """The sum of two objectives."""
        return Sum(self, other)

    def __rmul__(self, factor: Number) -> "Scaled":
        """The objective times a number or a schedule."""
        return Scaled(factor, self)


class Sum(Objective):
    """J₁ + J₂. Its unit is the coarser of the two."""

    first: Objective
    second: Objective

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The sum of the values."""
        params = evaluated(params, batch)
        return self.first(params, batch) + self.second(params, batch)

    @property
    def sampling_unit(self) -> str:
        """`"trajectory"` if either is."""
        return "trajectory" if "trajectory" in (self.first.sampling_unit, self.second.sampling_unit) else "step"

    @property
    def has_meaningful_value(self) -> bool:
        """If both are."""
        return self.first.has_meaningful_value and self.second.has_meaningful_value

    def info(self, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Both objectives' figures."""
        return self.first.info(params, batch) | self.second.info(params, batch)


class Scaled(Objective):
    """c · J."""

    factor: Number
    objective: Objective

    def __call__(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """The value times the factor."""
        return self.factor * self.objective(params, batch)

    @property
    def sampling_unit(self) -> str:
        """The objective's own."""
        return self.objective.sampling_unit

    @property
    def has_meaningful_value(self) -> bool:
        """If the objective is."""
        return self.objective.has_meaningful_value

    def info(self, params: PyTree, batch: Batch) -> dict[str, Float[Array, ""]]:
        """The objective's own figures."""
        return self.objective.info(params, batch)


def total(x: Float[Array, "*B"], batch: Batch) -> Float[Array, ""]:
    """Σ over valid rows / scale."""
    return jnp.sum(jnp.where(batch.valid, x, 0)) / batch.scale


def mean(x: Float[Array, "*B"], batch: Batch) -> Float[Array, ""]:
    """The mean over valid rows, whatever the batch's scale."""
    return jnp.sum(jnp.where(batch.valid, x, 0)) / jnp.maximum(jnp.sum(batch.valid, dtype=float), 1)


def at_actions(critic: PyTree, batch: Batch) -> Float[Array, "*B"]:
    """An action critic evaluated at every observation and action of a batch."""
    return evaluate_action_critic(critic, batch)
