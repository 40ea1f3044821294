"""Time limits of Gymnasium environments, as their wrappers state them."""

import sys

import gymnasium
from gymnasium.wrappers import OrderEnforcing, TimeLimit

NEVER = sys.maxsize


def time_limit_of(env: gymnasium.Env) -> int | None:
    """Find the step at which the environment's `TimeLimit` wrappers truncate an episode; None if they never do."""
    limits = []
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    return min(limits, default=None)


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
