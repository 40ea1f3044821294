"""Learning from an expert: another policy acts, and the wrapped algorithm learns from its trajectories."""

from jaxtyping import Array, Key, PyTree

from logpi.algorithms.protocol import Algorithm, AlgorithmWrapper
from logpi.policies.behavior import Behavior
from logpi.types import State


class ActsAsExpert(AlgorithmWrapper[Algorithm]):
    """Algorithm whose behavior policy μ is a fixed expert in every iteration, independent of what is learned.

    With the objective `log_likelihood` the learner clones μ (behavioral cloning); with `ImportanceWeighted`,
    `PerDecision` or `VTrace` it learns off-policy from μ.

    - `expert`: μ, a policy obs ↦ distribution. It is part of the method and is never learned.
    - `algorithm`: the algorithm that learns.
    """

    expert: PyTree
    algorithm: Algorithm

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """Return μ = the expert."""
        del state, key
        return Behavior(self.expert)
