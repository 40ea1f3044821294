"""Environments of MuJoCo Playground, which are Brax's in all but name."""

import jax

from logpi.environments.adapters.brax import Brax


def names() -> list[str]:
    """The environments that Playground has registered."""
    from mujoco_playground import registry  # pyright: ignore[reportMissingImports]

    return list(registry.ALL_ENVS)


def load(task: str) -> Brax:
    """An environment of Playground by its own name, with its own time limit.

    MuJoCo Warp, which it uses by default, needs a GPU: elsewhere MuJoCo is computed in JAX. Actions are not repeated.

    Source: Zakka et al. 2025.
    """
    from mujoco_playground import registry  # pyright: ignore[reportMissingImports]

    config = registry.get_default_config(task)
    if jax.default_backend() != "gpu":
        config.impl = "jax"
    return Brax(registry.load(task, config=config), int(config.episode_length))
