"""Cloning in the one loop: an expert acts, and the learner learns from what it did."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Key, PyTree

from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.core.collection import Collect
from logpi.policies.behavior import Behavior
from logpi.types import State, Trajectory


class ActsAsExpert(eqx.Module):
    """The algorithm, with μ = another policy in every iteration, whatever is learned.

    With `log_likelihood` the learner clones μ; with `ImportanceWeighted`, `PerDecision` or `VTrace` it learns
    off-policy from it.

    - `expert`: μ. It is part of the method and is never learned.
    - `algorithm`: what learns.
    """

    expert: PyTree
    algorithm: PolicyGradient

    @property
    def collect(self) -> Collect:
        """The algorithm's own."""
        return self.algorithm.collect

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """The algorithm's own beginning."""
        return self.algorithm.init(policy, critic)

    def at(self, progress: Any) -> "ActsAsExpert":
        """With the algorithm's schedules at their values."""
        return ActsAsExpert(self.expert, self.algorithm.at(progress))

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """μ = the expert."""
        del state, key
        return Behavior(self.expert)

    def learn(
        self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]
    ) -> tuple[State, dict[str, Float[Array, ""]]]:
        """The algorithm's own."""
        return self.algorithm.learn(state, mu, tau, key)
