"""An estimator composed with a baseline."""

from dataclasses import dataclass

from jaxtyping import Array, Float

from logpi.algorithms.batch import gradient
from logpi.credit.base import Credit
from logpi.objectives.base import Objective
from logpi.types import State, Trajectory, ravel


@dataclass(frozen=True)
class Method:
    """An objective with its credit, ready to be differentiated on batches of episodes.

    - `name`: unique.
    - `critic`: name in `Problem.critics` of the critic it needs; None if it needs none.
    - `off_policy`: True if the episodes are collected by μ instead of π.
    """

    name: str
    credit: Credit
    objective: Objective
    critic: str | None
    off_policy: bool

    def __call__(self, state: State, tau: Trajectory) -> Float[Array, " P"]:
        """Compute ĝ of one batch, flattened by `logpi.types.ravel`."""
        return ravel(gradient(self.credit, self.objective, state, tau))[0]
