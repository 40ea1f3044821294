"""Answers of the networks at a batch's rows, which all terms of an objective share."""

import functools

from jaxtyping import Array, Float, PyTree

from logpi.distributions.protocol import Distribution
from logpi.policies.critic import ActorCritic
from logpi.policies.evaluate import evaluate_action_critic, evaluate_critic, evaluate_policy
from logpi.types import Batch


class Outputs:
    """π(·|s), V(s) and Q(s, a) of the parameters θ at every row of a batch.

    A network is evaluated when its answer is first read, and once. Why: where each term of a sum evaluates the policy,
    the compiler merges the forward passes but not the backward ones, and a gradient costs a whole backward pass for
    each term. A network that no term reads is not evaluated at all.

    - `params`: θ: a policy, a critic of states or actions, or an `ActorCritic` of both.
    - `batch`: the rows.

    Make one for each θ inside the function that is differentiated, as `Objective.evaluate` does.
    """

    def __init__(self, params: PyTree, batch: Batch):
        """Nothing is evaluated yet."""
        self.params = params
        self._batch = batch

    @property
    def policy(self) -> PyTree:
        """The network that answers π."""
        return self.params.policy if isinstance(self.params, ActorCritic) else self.params

    @property
    def critic(self) -> PyTree:
        """The network that answers V or Q."""
        return self.params.critic if isinstance(self.params, ActorCritic) else self.params

    @functools.cached_property
    def pi(self) -> Distribution:
        """π_θ(·|s) of every row, one distribution with the rows' axes."""
        return evaluate_policy(self.policy, self._batch)

    @functools.cached_property
    def value(self) -> Float[Array, "*B"]:
        """V_φ(s) of every row."""
        return evaluate_critic(self.critic, self._batch)

    @functools.cached_property
    def action_value(self) -> Float[Array, "*B"]:
        """Q_φ(s, a) of every row, at the action taken."""
        return evaluate_action_critic(self.critic, self._batch)
