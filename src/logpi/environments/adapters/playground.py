"""Environments of MuJoCo Playground, which have the interface of Brax's."""

import jax

from logpi.environments.adapters.brax import Brax


def names() -> list[str]:
    """List the environments that Playground has registered."""
    from mujoco_playground import registry  # pyright: ignore[reportMissingImports]

    return list(registry.ALL_ENVS)


def make(task: str, num_envs: int, time_limit: int | None, **arguments: object) -> Brax:
    """Make one environment of Playground by its own name, with its own time limit; whoever asks copies it.

    MuJoCo Warp, which it uses by default, needs a GPU: elsewhere MuJoCo is computed in JAX. Actions are not repeated.

    - `arguments`: entries of the environment's configuration, such as `episode_length`.

    Source: Zakka et al. 2025.
    """
    from mujoco_playground import registry  # pyright: ignore[reportMissingImports]

    del num_envs, time_limit
    config = registry.get_default_config(task)
    if jax.default_backend() != "gpu":
        config.impl = "jax"
    config.update(arguments)
    return Brax(registry.load(task, config=config), int(config.episode_length))
