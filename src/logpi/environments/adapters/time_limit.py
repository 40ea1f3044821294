"""Time limits of Gymnasium environments, as their wrappers state them."""

import sys
from collections.abc import Sequence

import gymnasium
from gymnasium.wrappers import OrderEnforcing, TimeLimit

NEVER = sys.maxsize


def time_limit_of(env: gymnasium.Env) -> int | None:
    """Find the step at which the environment's `TimeLimit` wrappers truncate an episode; None if they never do.

    Where a wrapper around such a limit plays on after it, this is too short, and no code can tell: see
    `protocol.extend_time_limit`.
    """
    limits = []
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    return min(limits, default=None)


def longest_time_limit(envs: Sequence[gymnasium.Env]) -> int | None:
    """Find the longest time limit of several environments; None if one of them has none."""
    limits = [time_limit_of(env) for env in envs]
    known = [limit for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


def unwrap_passive(env: gymnasium.Env) -> tuple[gymnasium.Env, int]:
    """Take off the outermost wrappers that only watch the steps: (the environment inside, the time limit they kept).

    A caller that resets before it steps, and counts the steps, does not need `OrderEnforcing` and `TimeLimit`, which
    together take an eighth of the time of a step of CartPole.
    """
    limits = [NEVER]
    while isinstance(env, gymnasium.Wrapper) and type(env) in (OrderEnforcing, TimeLimit):
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    return env, min(limits)
