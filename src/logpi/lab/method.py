"""An estimator with a baseline, put together."""

from dataclasses import dataclass

from jaxtyping import Array, Float

from logpi.algorithms.batch import gradient
from logpi.credit.base import Credit
from logpi.objectives.base import Objective
from logpi.types import State, Trajectory, ravel


@dataclass(frozen=True)
class Method:
    """What is differentiated: an objective of a credit, from the episodes of the policy itself or of another.

    - `name`: tells it from every other one.
    - `critic`: the critic it needs, by its name in `Problem.critics`.
    """

    name: str
    credit: Credit
    objective: Objective
    critic: str | None
    off_policy: bool

    def __call__(self, state: State, tau: Trajectory) -> Float[Array, " P"]:
        """ĝ of one batch, θ as `logpi.types.ravel` lays it out."""
        return ravel(gradient(self.credit, self.objective, state, tau))[0]
