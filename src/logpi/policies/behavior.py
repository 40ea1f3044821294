"""The behavior policy μ, whose actions the environments execute."""

import equinox as eqx
import jax
from jaxtyping import PyTree

from logpi.distributions.point import Point
from logpi.errors import LogpiError
from logpi.policies.evaluate import map_rows
from logpi.types import trainable


class Behavior(eqx.Module):
    """Behavior policy μ: obs[N] ↦ Distribution[N]; one policy for all environments, or a population, one θ for each.

    Methods that perturb actions and methods that perturb parameters share every rollout through this one idea.
    With `per_environment`, the learned leaves of `policy` carry a leading axis N. Raises LogpiError for observations
    of any other number of environments.
    """

    policy: PyTree
    per_environment: bool = eqx.field(static=True, default=False)

    def __call__(self, obs: PyTree) -> PyTree:
        """Compute the distributions over actions at N observations."""
        if not self.per_environment:
            return map_rows(self.policy, 1, obs)
        theta, rest = trainable(self.policy)
        members, num_envs = jax.tree.leaves(theta)[0].shape[0], jax.tree.leaves(obs)[0].shape[0]
        if members != num_envs:
            raise LogpiError(f"the population has {members} members for {num_envs} environments; allowed: one for each")
        return map_rows(lambda member, o: eqx.combine(member, rest)(o), 1, theta, obs)


class Greedy(eqx.Module):
    """Greedy policy: always the mode of another policy's distribution, as in evaluation."""

    policy: PyTree

    def __call__(self, obs: PyTree) -> Point:
        """Return the point distribution at the mode of π(·|obs)."""
        return Point(self.policy(obs))


def sampled(policy: PyTree) -> PyTree:
    """Return the policy unchanged: its actions are sampled. The alternative is `Greedy`."""
    return policy
