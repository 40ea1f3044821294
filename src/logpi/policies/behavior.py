"""μ, the behavior policy: whose actions are taken."""

import equinox as eqx
import jax
from jaxtyping import PyTree

from logpi.distributions.point import Point
from logpi.errors import LogpiError
from logpi.policies.evaluate import map_rows
from logpi.types import trainable


class Behavior(eqx.Module):
    """obs[N] ↦ Distribution[N]: one policy for all environments, or a population with one θ for each.

    Methods that perturb actions and methods that perturb parameters share every rollout through this one idea.
    With `episodes_per_env`, the learned leaves of `policy` carry a leading axis N. Raises LogpiError for observations
    of any other number of environments.
    """

    policy: PyTree
    per_environment: bool = eqx.field(static=True, default=False)

    def __call__(self, obs: PyTree) -> PyTree:
        """The distributions over actions at N observations."""
        if not self.per_environment:
            return map_rows(self.policy, 1, obs)
        theta, rest = trainable(self.policy)
        members, num_envs = jax.tree.leaves(theta)[0].shape[0], jax.tree.leaves(obs)[0].shape[0]
        if members != num_envs:
            raise LogpiError(f"the population has {members} members for {num_envs} environments; allowed: one for each")
        return map_rows(lambda member, o: eqx.combine(member, rest)(o), 1, theta, obs)


class Greedy(eqx.Module):
    """A policy that always takes the mode of another's distribution: how policies are evaluated."""

    policy: PyTree

    def __call__(self, obs: PyTree) -> Point:
        """All mass on the mode of π(·|obs)."""
        return Point(self.policy(obs))


def sampled(policy: PyTree) -> PyTree:
    """The policy as it is: its actions are sampled. The other way to act is `Greedy`."""
    return policy
