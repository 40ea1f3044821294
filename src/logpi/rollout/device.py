"""Rollouts of environments written in JAX, as pure functions inside a compiled program."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Key, PyTree

from logpi.core.collection import Collect, Steps
from logpi.environments.protocol import Environment
from logpi.policies.behavior import Behavior
from logpi.policies.memory import as_first_row
from logpi.rollout.noise import environment_key, episode_keys, max_episode_length, sample_noise, window_keys
from logpi.types import Memory, Trajectory


def init_env_state(environment: Environment, collect: Collect, key: Key[Array, ""]) -> PyTree:
    """Initialize the carry of rollouts: (state, obs, time) of the environments; () where every rollout starts anew."""
    if collect.complete:
        return ()
    state, obs = environment.reset(key)
    return state, obs, jnp.zeros(environment.spec.num_envs, jnp.int32)


def rollout(
    environment: Environment, mu: Behavior, carry: PyTree, key: Key[Array, ""], collect: Collect, memory: PyTree = ()
) -> tuple[PyTree, Trajectory, PyTree]:
    """Collect one rollout under μ; returns (the next carry, τ, the memory of μ after it).

    - `carry`: the environments' state, from `init_env_state` or the rollout before.
    - `memory`: of μ in each environment, [N, ...]; () for a memoryless one, and for whole episodes.
    """
    if isinstance(collect, Steps):
        return _window(environment, mu, carry, key, collect.num_steps, memory)
    limit = max_episode_length(collect, environment.spec)
    keys = jr.split(key, collect.episodes_per_env)
    columns = jax.vmap(lambda k: _episodes(environment, mu, k, limit, collect.group))(keys)
    rows = {name: jax.tree.map(_episodes_to_columns, value) for name, value in columns.items()}
    start = as_first_row(mu.initial(environment.spec.num_envs), collect.episodes_per_env)
    return carry, Trajectory(**rows, complete=True, memory=Memory(policy=start)), memory


def _act(
    environment: Environment, mu: Behavior, loop: PyTree, noise: PyTree, key: Key[Array, "..."], begins: Array
) -> tuple[PyTree, dict[str, Any]]:
    """Take one step in all environments: ((state, obs, memory), row of the trajectory without its time)."""
    state, obs, memory = loop
    pi, memory = mu.step(obs, begins, memory)
    action = pi.push(noise)
    state, step = environment.step(key, state, pi.to_env(action))
    row = {
        "obs": obs,
        "action": action,
        "log_prob": pi.log_prob(action),
        "reward": step.reward,
        "next_obs": step.next_obs,
        "terminated": step.terminated,
        "truncated": step.truncated,
        "valid": step.valid,
    }
    return (state, step.obs, memory), row


def _window(
    environment: Environment, mu: Behavior, carry: PyTree, key: Key[Array, "..."], length: int, memory: PyTree
) -> tuple[PyTree, Trajectory, PyTree]:
    """Collect a window of steps; episodes go on from the carry and into the next one."""
    k_noise, k_step = window_keys(key)
    noise = sample_noise(mu, carry[1], k_noise, length)

    def body(carry: PyTree, x: PyTree) -> tuple:
        (draw, key), (*loop, time) = x, carry
        loop, row = _act(environment, mu, loop, draw, key, time == 0)
        begins = row["terminated"] | row["truncated"] | ~row["valid"]
        return (*loop, jnp.where(begins, 0, time + 1)), row | {"time": time}

    state, obs, time = carry
    (state, obs, after, time), rows = lax.scan(body, (state, obs, memory, time), (noise, jr.split(k_step, length)))
    return (state, obs, time), Trajectory(**rows, memory=Memory(policy=as_first_row(memory))), after


def _episodes(environment: Environment, mu: Behavior, key: Key[Array, "..."], limit: int, group: int) -> dict[str, Any]:
    """Collect one episode per environment, padded to [limit, N]; the loop stops when the last episode has ended."""
    k_reset, k_noise, k_step = episode_keys(key)
    split_key = lambda key: environment_key(key, environment.spec.num_envs, group)
    state, obs = environment.reset(split_key(k_reset))
    noise = sample_noise(mu, obs, k_noise, limit, group)
    alive = jnp.ones(environment.spec.num_envs, bool)

    def row_at(t: Array, acting: PyTree, alive: Array) -> tuple[PyTree, dict[str, Any]]:
        draw, key = jax.tree.map(lambda x: x[t], noise), split_key(jr.fold_in(k_step, t))
        acting, row = _act(environment, mu, acting, draw, key, jnp.broadcast_to(t == 0, alive.shape))
        row["valid"] &= alive
        return acting, row | {"time": jnp.full_like(alive, t, jnp.int32)}

    def body(loop: PyTree) -> PyTree:
        t, acting, alive, rows = loop
        acting, row = row_at(t, acting, alive)
        rows = jax.tree.map(lambda buffer, x: buffer.at[t].set(x), rows, row)
        return t + 1, acting, alive & ~(row["valid"] & (row["terminated"] | row["truncated"])), rows

    acting = (state, obs, mu.initial(environment.spec.num_envs))
    shapes = jax.eval_shape(row_at, jnp.int32(0), acting, alive)[1]
    empty = jax.tree.map(lambda s: jnp.zeros((limit, *s.shape), s.dtype), shapes)
    unfinished = lambda loop: (loop[0] < limit) & jnp.any(loop[2])
    return lax.while_loop(unfinished, body, (jnp.int32(0), acting, alive, empty))[-1]


def _episodes_to_columns(x: Array) -> Array:
    """Reshape [k, limit, N, ...] to [limit, k·N, ...]: episode e of environment i is column e·N + i."""
    x = jnp.moveaxis(x, 0, 1)
    return x.reshape(x.shape[0], -1, *x.shape[3:])
