"""Noise of a rollout's actions, drawn in one call before it, and the random keys of a rollout."""

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Key, PyTree

from logpi.core.collection import Collect, Episodes, Steps
from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior


def sample_noise(mu: Behavior, obs: PyTree, key: Key[Array, ""], length: int, group: int = 1) -> PyTree:
    """Draw noise for `length` steps with observations shaped like `obs[N]`: leaves [length, N, ...].

    Noise depends on shapes alone, so the same key gives the same noise on the device and on the host.

    - `group`: number of neighboring environments that share their noise.
    """
    num_envs = jax.tree.leaves(obs)[0].shape[0]
    pi, _ = mu.step(obs, jnp.ones(num_envs, bool), mu.initial(num_envs))
    first_of_groups = jax.tree.map(lambda x: x[::group], pi)
    noise = jax.vmap(first_of_groups.noise)(jr.split(key, length))
    return noise if group == 1 else jax.tree.map(lambda x: jnp.repeat(x, group, axis=1), noise)


def environment_key(key: Key[Array, ""], num_envs: int, group: int) -> Key[Array, "..."]:
    """Return the key for `reset` or `step`: the key itself, or with groups one per copy, the same within a group."""
    return key if group == 1 else jr.split(key, num_envs // group)[jnp.arange(num_envs) // group]


def rollout_noise(mu: Behavior, obs: PyTree, key: Key[Array, ""], collect: Collect, spec: Spec) -> PyTree:
    """Draw all noise of a rollout, the same that `device.rollout` draws from this key.

    Leaves are [T, N, ...] for a window of steps, [k, limit, N, ...] for k whole episodes from each environment.
    Raises LogpiError for whole episodes of a task without a time limit.
    """
    if isinstance(collect, Steps):
        return sample_noise(mu, obs, window_keys(key)[0], collect.num_steps)
    limit = max_episode_length(collect, spec)
    keys = jr.split(key, collect.episodes_per_env)
    return jax.vmap(lambda k: sample_noise(mu, obs, episode_keys(k)[1], limit, collect.group))(keys)


def window_keys(key: Key[Array, ""]) -> tuple[Key[Array, ""], Key[Array, ""]]:
    """Split the key of a window: (noise, environment steps)."""
    k_noise, k_step = jr.split(key)
    return k_noise, k_step


def episode_keys(key: Key[Array, ""]) -> tuple[Key[Array, ""], Key[Array, ""], Key[Array, ""]]:
    """Split the key of an episode: (reset, noise, environment steps)."""
    k_reset, k_noise, k_step = jr.split(key, 3)
    return k_reset, k_noise, k_step


def max_episode_length(collect: Episodes, spec: Spec) -> int:
    """Return the time limit of an environment's episodes.

    Raises LogpiError if it has none, if it is longer than `collect` asks for, or if N is no multiple of the group size.
    """
    if collect.group < 1 or spec.num_envs % collect.group:
        raise LogpiError(
            f"num_envs is {spec.num_envs}; allowed: a multiple of {collect.group}, as Episodes(group={collect.group})"
            " has that many environments share their random numbers"
        )
    if spec.time_limit is None:
        raise LogpiError(
            f"{spec.name} has no time limit, and whole episodes need one: Episodes(max_episode_steps=…) or"
            " --max-episode-steps"
        )
    if collect.max_episode_steps is not None and collect.max_episode_steps < spec.time_limit:
        raise LogpiError(
            f"Episodes(max_episode_steps={collect.max_episode_steps}) is shorter than the time limit of"
            f" {spec.name}, {spec.time_limit}:"
            f" make the environment with it, make(…, time_limit={collect.max_episode_steps})"
        )
    return spec.time_limit
