"""μ, the behaviour policy: whose actions are taken."""

import equinox as eqx
import jax
from jaxtyping import PyTree

from logpi.distributions.point import Point
from logpi.types import trainable


class Behaviour(eqx.Module):
    """obs[N] ↦ Distribution[N]: one policy for all environments, or a population with one θ for each.

    Methods that perturb actions and methods that perturb parameters share every rollout through this one idea.
    With `per_environment`, the learned leaves of `policy` carry a leading axis N.
    """

    policy: PyTree
    per_environment: bool = eqx.field(static=True, default=False)

    def __call__(self, obs: PyTree) -> PyTree:
        """The distributions over actions at N observations."""
        if not self.per_environment:
            return jax.vmap(self.policy)(obs)
        theta, rest = trainable(self.policy)
        return jax.vmap(lambda member, o: eqx.combine(member, rest)(o))(theta, obs)


class Greedy(eqx.Module):
    """A policy that always takes the mode of another's distribution: how policies are evaluated."""

    policy: PyTree

    def __call__(self, obs: PyTree) -> Point:
        """All mass on the mode of π(·|obs)."""
        return Point(self.policy(obs))
