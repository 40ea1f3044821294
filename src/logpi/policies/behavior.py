"""The behavior policy μ, whose actions the environments execute."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree, Shaped

from logpi.distributions.point import Point
from logpi.errors import LogpiError
from logpi.policies.evaluate import map_rows
from logpi.policies.memory import is_recurrent, reset_memory, unroll
from logpi.types import trainable


class Behavior(eqx.Module):
    """Behavior policy μ: obs[N] ↦ Distribution[N]; one policy for all environments, or a population, one θ for each.

    Methods that perturb actions and methods that perturb parameters share every rollout through this one idea.
    With `per_environment`, the learned leaves of `policy` carry a leading axis N. Where the policy remembers, so does
    μ: `step` carries the memories [N, ...] of all environments. Raises LogpiError for observations of any other number
    of environments.
    """

    policy: PyTree
    per_environment: bool = eqx.field(static=True, default=False)

    @property
    def is_recurrent(self) -> bool:
        """True if the policy remembers."""
        return is_recurrent(self.policy)

    def __call__(self, obs: PyTree) -> PyTree:
        """Compute the distributions over actions at N observations of a memoryless policy."""
        return self._map(lambda policy, o: policy(o), obs)

    def initial(self, num_envs: int) -> PyTree[Shaped[Array, "N ..."]]:
        """Return the memory of N environments in which an episode begins; () for a memoryless policy."""
        if not self.is_recurrent:
            return ()
        return self._map(lambda policy, _: policy.initial(), jnp.zeros(num_envs))

    def step(self, obs: PyTree, begins: Bool[Array, " N"], memory: PyTree) -> tuple[PyTree, PyTree]:
        """Compute the distributions at N observations, and the next memories.

        - `begins`: environments in which an episode begins, whose memory is reset first.
        - `memory`: [N, ...], as `initial` gives it; () for a memoryless policy.
        """
        if not self.is_recurrent:
            return self(obs), memory
        return self._map(lambda policy, o, b, h: policy(o, reset_memory(policy, b, h)), obs, begins, memory)

    def remember(self, obs: PyTree, memory: PyTree[Shaped[Array, "N ..."]]) -> tuple[PyTree, PyTree]:
        """Compute the distributions of a policy that remembers at N observations, and the next memories; no reset."""
        return self._map(lambda policy, o, h: policy(o, h), obs, memory)

    def unroll(
        self, obs: PyTree[Shaped[Array, "T N ..."]], begins: Bool[Array, "T N"], memory: PyTree[Shaped[Array, "N ..."]]
    ) -> tuple[PyTree, PyTree[Shaped[Array, "T N ..."]]]:
        """Compute the distributions of a policy that remembers at T steps, and the memories after each."""
        columns = lambda tree: jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), tree)
        return columns(self._map(unroll, columns(obs), columns(begins), memory))

    def _map(self, function: Callable[..., PyTree], *rows: PyTree) -> PyTree:
        """Map a function of (policy, one row) over rows [N, ...], each with the policy of its environment."""
        if not self.per_environment:
            return map_rows(functools.partial(function, self.policy), 1, *rows)
        theta, rest = trainable(self.policy)
        members, num_envs = jax.tree.leaves(theta)[0].shape[0], jax.tree.leaves(rows)[0].shape[0]
        if members != num_envs:
            raise LogpiError(f"the population has {members} members for {num_envs} environments; allowed: one for each")
        return map_rows(lambda member, *row: function(eqx.combine(member, rest), *row), 1, theta, *rows)


class Greedy(eqx.Module):
    """Greedy policy: always the mode of another policy's distribution, as in evaluation. `greedy` makes one."""

    policy: PyTree

    def __call__(self, obs: PyTree) -> Point:
        """Return the point distribution at the mode of π(·|obs)."""
        return Point(self.policy(obs))


class GreedyRecurrent(eqx.Module):
    """Greedy policy of a policy that remembers."""

    policy: PyTree

    def initial(self) -> PyTree:
        """Return the policy's initial memory."""
        return self.policy.initial()

    def __call__(self, obs: PyTree, memory: PyTree) -> tuple[Point, PyTree]:
        """Return the point distribution at the mode, and the policy's next memory."""
        pi, memory = self.policy(obs, memory)
        return Point(pi), memory


def greedy(policy: PyTree) -> Greedy | GreedyRecurrent:
    """Make the policy that takes the mode of another policy's distribution, of one that remembers, too."""
    return GreedyRecurrent(policy) if is_recurrent(policy) else Greedy(policy)


def sampled(policy: PyTree) -> PyTree:
    """Return the policy unchanged: its actions are sampled. The alternative is `greedy`."""
    return policy
