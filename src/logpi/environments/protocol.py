"""What logpi asks of an environment, on the device and on the host. Nothing here needs JAX."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from gymnasium import spaces


class Step(NamedTuple):
    """What N environments answer to N actions.

    - `obs`: where the next action is taken; after an episode's end, the first observation of the next one.
    - `next_obs`: the true successor of the observation acted on, also at an end. Equal to `obs` elsewhere.
    - `reward`: float [N].
    - `terminated`: bool [N], the MDP ended: what follows is worth nothing.
    - `truncated`: bool [N], we stopped watching: what would have followed still counts. Never set with `terminated`.
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
    """What is known of an environment before it runs.

    `time_limit` is the number of steps after which it truncates an episode, None if it never does.
    """

    name: str
    num_envs: int
    observation_space: spaces.Space
    action_space: spaces.Space
    time_limit: int | None = None


@runtime_checkable
class Environment(Protocol):
    """N environments written in JAX: pure functions of a state and a key, reset as soon as an episode ends.

    Actions are a policy's own: whole numbers from 0, or vectors in which −1 … 1 spans the bounds. A key is one for all
    copies; where groups of them share their random numbers, an array of N keys, one for each.
    """

    @property
    def spec(self) -> Spec:
        """Spaces, number of copies, time limit."""
        ...

    def reset(self, key: Any) -> tuple[Any, Any]:
        """key → (state, obs[N])."""
        ...

    def step(self, key: Any, state: Any, action: Any) -> tuple[Any, Step]:
        """(key, state, action[N]) → (state, step)."""
        ...


@runtime_checkable
class HostEnvironment(Protocol):
    """N environments that are ordinary Python: they keep their own state and answer in NumPy arrays.

    One that also has `episode`, an int [N] that says which episode each environment is in, and
    `restart(seed, episode) → obs[N]`, which begins given episodes, can be brought back to where it stood when a run
    is resumed: the episodes under way are begun again and their actions replayed.
    """

    @property
    def spec(self) -> Spec:
        """Spaces, number of copies, time limit."""
        ...

    def reset(self, seed: int, group: int = 1) -> Any:
        """Begin new episodes everywhere, seeded, neighbors in groups of `group` alike: → obs[N]."""
        ...

    def step(self, action: Any, idle: Any) -> Step:
        """action[N] → step. Where `idle` is set the action is ignored and the environment need not move."""
        ...

    def close(self) -> None:
        """Free what the environments hold."""
        ...


def is_jax_environment(environment: Any) -> bool:
    """Whether the environment is written in JAX (it is then a PyTree of pure functions)."""
    import equinox as eqx  # here, since processes that only step environments import no JAX

    return isinstance(environment, eqx.Module)
