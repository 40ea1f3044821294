"""The contract of an algorithm, and the abstract wrapper for algorithms built around another one."""

import dataclasses
from typing import Generic, Literal, Protocol, TypeVar, runtime_checkable

import equinox as eqx
from jaxtyping import Array, Key, PyTree

from logpi.core.collection import Collect
from logpi.policies.behavior import Behavior
from logpi.types import Info, State, Trajectory

CriticKind = Literal["state", "action"]
"""Value function that a critic predicts: `"state"` for V(s), `"action"` for Q(s, a)."""


@runtime_checkable
class Algorithm(Protocol):
    """A policy-gradient method: the choice of a behavior policy μ, and how the learner's state is updated from τ.

    One iteration of the training loop is

        algorithm = algorithm.at(progress)                      schedules become numbers
        μ = algorithm.behavior(state, key)                      the policy that acts
        τ = rollout(environment, μ, algorithm.collect)          not the algorithm's concern
        state, info = algorithm.learn(state, μ, τ, key)         credit, objective, update

    Every method is a pure function under `jax.jit`: no side effects, no Python branch on an array's value. An algorithm
    is a PyTree (an `equinox.Module`) whose numeric hyperparameters are leaves, so that many runs with different numbers
    share one compiled program. `logpi.testing.check_algorithm` checks this contract.
    """

    @property
    def collect(self) -> Collect:
        """Amount of experience per iteration: `Steps` or `Episodes`."""
        ...

    @property
    def num_envs_required(self) -> int | None:
        """Number of environments that `behavior` is made for (the size of a population); None if any number will do."""
        ...

    @property
    def critic_kind(self) -> CriticKind | None:
        """Kind of critic that `learn` fits; None if no critic is fitted, and `init` then takes `critic=None`."""
        ...

    @property
    def learns_separately(self) -> bool:
        """True if policy and critic have an update each, so that two devices can compute one of them each."""
        ...

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """Initialize the learner's state for these networks. Raises LogpiError if a part that is needed is missing."""
        ...

    def at(self, progress: float | Array) -> "Algorithm":
        """Replace every schedule by its value at `progress` ∈ [0, 1], the fraction of the run's environment steps."""
        ...

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """Return μ, the policy (or population, one θ per environment) that acts in the next rollout."""
        ...

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """Update the state from one rollout: (state, μ, τ, key) → (state', metrics).

        `state'` has the tree structure, shapes and dtypes of `state`, as the compiled loop feeds it back in. Rows of τ
        that are not `valid` change nothing.
        """
        ...


Wrapped = TypeVar("Wrapped", bound=Algorithm)


class AlgorithmWrapper(eqx.Module, Generic[Wrapped]):
    """Abstract algorithm around another one: every member delegates to `algorithm`; a subclass overrides what differs.

    - `algorithm`: the wrapped algorithm.
    """

    algorithm: eqx.AbstractVar[Wrapped]

    @property
    def collect(self) -> Collect:
        """Amount of experience per iteration, as the wrapped algorithm asks for it."""
        return self.algorithm.collect

    @property
    def num_envs_required(self) -> int | None:
        """Number of environments that the wrapped algorithm's behavior is made for."""
        return self.algorithm.num_envs_required

    @property
    def critic_kind(self) -> CriticKind | None:
        """Kind of critic that the wrapped algorithm fits."""
        return self.algorithm.critic_kind

    @property
    def learns_separately(self) -> bool:
        """False: a wrapper's own work would be repeated on both devices, so environments are spread over them."""
        return False

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """Initialize the state of the wrapped algorithm."""
        return self.algorithm.init(policy, critic)

    def at(self, progress: float | Array) -> "AlgorithmWrapper":
        """Replace every schedule of the wrapped algorithm by its value at `progress` ∈ [0, 1]."""
        return dataclasses.replace(self, algorithm=self.algorithm.at(progress))

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """Return the wrapped algorithm's behavior policy."""
        return self.algorithm.behavior(state, key)

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """Update the state as the wrapped algorithm does."""
        return self.algorithm.learn(state, mu, tau, key)
