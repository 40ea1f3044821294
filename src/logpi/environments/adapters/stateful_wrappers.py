"""Gymnasium's wrappers that normalize by running statistics, which belong to the environment and not to the policy."""

from typing import Any

import gymnasium
from gymnasium.vector import VectorWrapper
from gymnasium.wrappers import NormalizeObservation, NormalizeReward, vector

OPTIONS: dict[type, str] = {
    NormalizeObservation: "normalize_observations",
    NormalizeReward: "normalize_returns",
    vector.NormalizeObservation: "normalize_observations",
    vector.NormalizeReward: "normalize_returns",
}


def warnings_of(env: Any, name: str) -> tuple[str, ...]:
    """List a line for each wrapper, also of a vector environment's copies, whose statistics the policy does not have.

    Every environment made again, for evaluation, in another process or after a resume, starts with new statistics.
    """
    lines = []
    while isinstance(env, gymnasium.Wrapper | VectorWrapper):
        lines += [
            f"{name} is wrapped in {type(env).__name__}, whose statistics are no part of the policy: evaluation, resume"
            f" and export do not have them; use {option}=True instead (--{option.replace('_', '-')} true)"
            for wrapper, option in OPTIONS.items()
            if isinstance(env, wrapper)
        ]
        env = env.env
    envs = getattr(env, "envs", None)
    return tuple(lines) + (warnings_of(envs[0], name) if envs else ())
