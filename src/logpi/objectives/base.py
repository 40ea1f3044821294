"""The contract of objectives, their sum and multiple, and the wrapper of objectives around another one."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.errors import LogpiError
from logpi.objectives.outputs import Outputs
from logpi.types import Batch, Number


class Objective(eqx.Module):
    """A scalar J(θ; batch), to be maximized: Σ over valid rows / batch.scale.

    A formula is written in terms of what the networks answer: `outputs.pi`, `outputs.value`, `outputs.action_value`.
    Updates and users have θ itself: `objective.evaluate(params, batch)` is what they differentiate.
    Objectives add and scale: `Clipped(0.2) + 0.01 * entropy`.

        >>> import jax, logpi
        >>> class SquaredLogProb(Objective):
        ...     def __call__(self, outputs, batch):
        ...         return total(outputs.pi.log_prob(batch.action) ** 2, batch)
        >>> type(logpi.score + 0.1 * SquaredLogProb()).__name__
        'Sum'
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return J, given what the networks answer at the batch's rows."""
        raise NotImplementedError

    def evaluate(self, params: PyTree, batch: Batch) -> Float[Array, ""]:
        """Return J(θ; batch) of a policy, a critic or an `ActorCritic`; `jax.grad` of it is the policy gradient."""
        return self(Outputs(params, batch), batch)

    @property
    def sampling_unit(self) -> str:
        """Smallest piece that may be shuffled into minibatches: a `"step"` (row) or a `"trajectory"` (column)."""
        return "step"

    @property
    def has_meaningful_value(self) -> bool:
        """True if values of J at two θ can be compared; False if its gradient alone means something."""
        return True

    def info(self, outputs: Outputs, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Return scalar metrics of this objective; none by default."""
        del outputs, batch
        return {}

    def __add__(self, other: "Objective") -> "Sum":
        """Return the sum of two objectives."""
        return Sum(self, other)

    def __rmul__(self, factor: Number) -> "Scaled":
        """Return the objective times a number or a schedule."""
        return Scaled(factor, self)


class Sum(Objective):
    """J₁ + J₂. Its sampling unit is the coarser of the two."""

    first: Objective
    second: Objective

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the sum of the values."""
        return self.first(outputs, batch) + self.second(outputs, batch)

    @property
    def sampling_unit(self) -> str:
        """`"trajectory"` if either term's is."""
        return "trajectory" if "trajectory" in (self.first.sampling_unit, self.second.sampling_unit) else "step"

    @property
    def has_meaningful_value(self) -> bool:
        """True if both terms' is."""
        return self.first.has_meaningful_value and self.second.has_meaningful_value

    def info(self, outputs: Outputs, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Return the metrics of both terms."""
        return self.first.info(outputs, batch) | self.second.info(outputs, batch)


class ObjectiveWrapper(Objective):
    """Abstract objective around another one: every member delegates to `objective`; a subclass overrides what differs.

    - `objective`: the wrapped objective.
    """

    objective: eqx.AbstractVar[Objective]

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the wrapped objective's value."""
        return self.objective(outputs, batch)

    @property
    def sampling_unit(self) -> str:
        """Sampling unit of the wrapped objective."""
        return self.objective.sampling_unit

    @property
    def has_meaningful_value(self) -> bool:
        """True if the wrapped objective's is."""
        return self.objective.has_meaningful_value

    def info(self, outputs: Outputs, batch: Batch) -> dict[str, Float[Array, ""]]:
        """Return the metrics of the wrapped objective."""
        return self.objective.info(outputs, batch)


class Scaled(ObjectiveWrapper):
    """c · J, c a number or a schedule."""

    factor: Number
    objective: Objective

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return the value times the factor."""
        return self.factor * self.objective(outputs, batch)


def require_meaningful_value(objective: Objective, update: object, instead: str) -> None:
    """Raise LogpiError for an objective whose values cannot be compared, where `update` compares them.

    - `instead`: name of the update that needs the gradient alone.
    """
    if not objective.has_meaningful_value:
        raise LogpiError(
            f"{type(objective).__name__} is no objective for {type(update).__name__}, which compares its values, and"
            f" only its gradient means something; allowed: importance, Clipped(ε), score …; or {instead} as the update"
        )


def total(x: Float[Array, "*B"], batch: Batch) -> Float[Array, ""]:
    """Sum over valid rows, divided by the batch's scale."""
    return jnp.sum(jnp.where(batch.valid, x, 0)) / batch.scale


def mean(x: Float[Array, "*B"], batch: Batch) -> Float[Array, ""]:
    """Average over valid rows, whatever the batch's scale; 0 where no row is valid."""
    return jnp.sum(jnp.where(batch.valid, x, 0)) / jnp.maximum(jnp.sum(batch.valid, dtype=float), 1)
