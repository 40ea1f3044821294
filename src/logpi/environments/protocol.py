"""Protocols of environments, compiled with the learner or stepped on the host. Importing them needs no JAX."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces
from typing_extensions import TypeIs

from logpi.core.numpy_trees import HostTree
from logpi.errors import EpisodeOutlasts

if TYPE_CHECKING:  # processes that only step environments import no JAX
    from jaxtyping import Array, Key, PyTree

EpisodeEnd = tuple[int, bool, bool]  # copy, terminated, valid: of the last step


class Step(NamedTuple):
    """The answer of N environments to N actions.

    - `obs`: the observation that the next action is for; after an episode's end, the first one of the next episode.
    - `next_obs`: the true successor of the observation acted on, also at an episode's end. Equal to `obs` elsewhere.
    - `reward`: float [N].
    - `terminated`: bool [N], the MDP ended: V(next_obs) := 0.
    - `truncated`: bool [N], a limit ended the episode: V(next_obs) counts. Never set with `terminated`.
    - `valid`: bool [N], False for an autoreset's dummy step, which is no transition of the MDP.
    """

    obs: Any
    next_obs: Any
    reward: Any
    terminated: Any
    truncated: Any
    valid: Any


@dataclass(frozen=True)
class Spec:
    """The description of N environments: known before they run, and enough to build networks for them.

    - `name`: as the environment is asked for.
    - `num_envs`: N.
    - `observation_space`, `action_space`: of one environment.
    - `time_limit`: steps after which an episode is truncated; None if it never is.
    - `warnings`: lines for whoever trains or evaluates on them, as about wrappers with a state of their own.
    """

    name: str
    num_envs: int
    observation_space: spaces.Space
    action_space: spaces.Space
    time_limit: int | None = None
    warnings: tuple[str, ...] = ()


@runtime_checkable
class Environment(Protocol):
    """N environments written in JAX: pure functions of a state and a key, reset as soon as an episode ends.

    Actions are a policy's own: whole numbers from 0, or vectors in which −1 … 1 spans the bounds. One key
    serves all copies; where groups of copies share their random numbers, there is an array of N keys.
    """

    @property
    def spec(self) -> Spec:
        """Name, spaces, number of copies, time limit."""
        ...

    def reset(self, key: "Key[Array, '...']") -> "tuple[PyTree, PyTree]":
        """Begin an episode everywhere: key → (state, obs[N])."""
        ...

    def step(self, key: "Key[Array, '...']", state: "PyTree", action: "PyTree") -> "tuple[PyTree, Step]":
        """Step all copies: (key, state, action[N]) → (state, step)."""
        ...


@runtime_checkable
class SingleEnvironment(Protocol):
    """One environment in JAX, without time limit or reset: the dynamics alone."""

    @property
    def observation_space(self) -> spaces.Space:
        """Space of one observation."""
        ...

    @property
    def action_space(self) -> spaces.Space:
        """Space of one action."""
        ...

    def reset(self, key: "Key[Array, '']") -> "tuple[PyTree, PyTree]":
        """Begin an episode: key → (state, obs)."""
        ...

    def step(self, key: "Key[Array, '']", state: "PyTree", action: "PyTree") -> "tuple[PyTree, PyTree, Array, Array]":
        """Take one step: (key, state, action) → (state, obs, reward, terminated)."""
        ...


@runtime_checkable
class HostEnvironment(Protocol):
    """N environments in ordinary Python, which hold their own state and answer with NumPy arrays.

    Two capabilities may come on top, each a protocol of its own: `Restartable` environments resume exactly,
    `SteppableCopies` also get worker processes, the fast window and replacement of copies that fail. Ask for them with
    `isinstance` once, when something is constructed: the check of a runtime protocol is too slow for every step.
    """

    @property
    def spec(self) -> Spec:
        """Name, spaces, number of copies, time limit."""
        ...

    def reset(self, seed: int, group: int = 1) -> HostTree:
        """Begin new episodes everywhere, seeded, neighbors in groups of `group` alike: → obs[N]."""
        ...

    def step(self, action: HostTree, idle: np.ndarray) -> Step:
        """Step all copies: action[N] → step. Where `idle` [N] is set the action is ignored and no step is needed."""
        ...

    def close(self) -> None:
        """Free the resources of the environments."""
        ...


@runtime_checkable
class Restartable(HostEnvironment, Protocol):
    """Host environments that can begin a given episode: a resumed run replays the unfinished episodes' actions."""

    @property
    def episode(self) -> np.ndarray:
        """Index of the episode that each environment is in under its seed, int [N], from 0."""
        ...

    def restart(self, seed: int, episode: np.ndarray) -> HostTree:
        """Begin episode `episode[i]` of each environment under this seed, whatever was played before: → obs[N]."""
        ...


@runtime_checkable
class SteppableCopies(Restartable, Protocol):
    """Host environments whose copies are stepped, begun and replaced one by one.

    - `restarts`: how often a copy that raises may be replaced by a new one; whoever trains sets it, it starts at 0.
    - `restarted`: how many copies were replaced so far. The failed step is `truncated` and not `valid`.
    """

    restarts: int

    @property
    def restarted(self) -> int:
        """Number of copies replaced so far."""
        ...

    def example(self) -> HostTree:
        """Observations [N, ...] of the right shapes and dtypes, all zero; starts no episode."""
        ...

    def advance(
        self, action: HostTree, next_obs: HostTree, reward: np.ndarray, copies: Iterable[int]
    ) -> list[EpisodeEnd]:
        """Step these copies, write observation and reward into row i of the arrays; list the episodes that ended.

        Where an episode ended, the caller must `begin` the next one before it steps that copy again.
        """
        ...

    def begin(self, copies: Iterable[int], obs: HostTree) -> None:
        """Begin the next episode of these copies and write its first observation into row i of `obs`."""
        ...

    def shard(self, first: int, count: int) -> Callable[[], "SteppableCopies"] | None:
        """A factory for copies `first` … `first + count − 1`, which another process unpickles and calls.

        These copies are seeded by their number among all N, so the number of processes changes no bit. None if the
        copies exist only once, such as an environment that was given ready-made.
        """
        ...


def extend_time_limit(environment: HostEnvironment, error: EpisodeOutlasts) -> None:
    """Double the time limit that a spec states, after an episode that outlasted it: buffers are then made for longer.

    A `TimeLimit` inside a wrapper that plays several of its episodes in one does not end the wrapper's episodes; the
    environment's own end counts. Raises the error where the spec cannot be replaced.
    """
    spec = environment.spec
    try:
        environment.spec = replace(spec, time_limit=2 * (spec.time_limit or 1))  # type: ignore[misc]
    except AttributeError:
        raise error from None


def is_jax_environment(environment: object) -> TypeIs[Environment]:
    """Tell whether the environment is written in JAX: it is then a PyTree of pure functions."""
    import equinox as eqx  # here, since processes that only step environments import no JAX

    return isinstance(environment, eqx.Module)
