"""The parts that all presets which perturb θ have in common."""

from typing import Any

import logpi


def population(
    num_envs: int, differences: str, stochastic: bool, episodes: int, max_episode_steps: int | None
) -> dict[str, Any]:
    """Return the arguments of `ZerothOrder` for the population, its differences, its actions and its rollouts.

    Environments of one group share their random numbers: the two sides of a central difference, or with forward
    differences all perturbations and θ itself.
    """
    central = differences == "central"
    return {
        "population": num_envs,
        "pairing": logpi.central_differences if central else logpi.forward_differences,
        "acting": logpi.sampled if stochastic else logpi.greedy,
        "collect": logpi.Episodes(max_episode_steps, episodes, group=2 if central else num_envs),
    }
