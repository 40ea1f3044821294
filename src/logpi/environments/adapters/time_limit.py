"""How long episodes of a Gymnasium environment may last, as its wrappers have it."""

import sys

import gymnasium
from gymnasium.wrappers import OrderEnforcing, TimeLimit

NEVER = sys.maxsize


def time_limit_of(env: gymnasium.Env) -> int | None:
    """The step after which the environment's `TimeLimit` wrappers truncate an episode; None if they never do."""
    limits = []
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    return min(limits, default=None)


def unwrap_passive(env: gymnasium.Env) -> tuple[gymnasium.Env, int]:
    """(the environment without the outermost wrappers that only watch its steps, the limit that they kept).

    Whoever resets before stepping and counts the steps has no need of `OrderEnforcing` and `TimeLimit`, which together
    take an eighth of the time of a step of CartPole.
    """
    limits = [NEVER]
    while isinstance(env, gymnasium.Wrapper) and type(env) in (OrderEnforcing, TimeLimit):
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    return env, min(limits)
