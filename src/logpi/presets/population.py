"""What the presets that perturb θ have in common: who acts, how, and who is compared with whom."""

from typing import Any

import logpi


def population(
    num_envs: int, differences: str, stochastic: bool, episodes: int, max_episode_steps: int | None
) -> dict[str, Any]:
    """The parts of a `ZerothOrder` that say so; each pair shares its random numbers, or all with θ itself."""
    central = differences == "central"
    return {
        "population": num_envs,
        "pairing": logpi.central_differences if central else logpi.forward_differences,
        "acting": logpi.sampled if stochastic else logpi.Greedy,
        "collect": logpi.Episodes(max_episode_steps, episodes, group=2 if central else num_envs),
    }
