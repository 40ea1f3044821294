"""Rollouts of environments written in JAX: μ and a key become trajectories inside one compiled program."""

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Key, PyTree

from logpi.core.collection import Collect, Steps
from logpi.environments.protocol import Environment
from logpi.policies.behavior import Behavior
from logpi.rollout.noise import episode_keys, max_episode_length, sample_noise, shared, window_keys
from logpi.types import Trajectory


def init_env_state(environment: Environment, collect: Collect, key: Key[Array, ""]) -> PyTree:
    """What a rollout carries to the next one: the environments' state, nothing if every rollout starts afresh."""
    if collect.complete:
        return ()
    state, obs = environment.reset(key)
    return state, obs, jnp.zeros(environment.spec.num_envs, jnp.int32)


def rollout(
    environment: Environment, mu: Behavior, carry: PyTree, key: Key[Array, ""], collect: Collect
) -> tuple[PyTree, Trajectory]:
    """(μ, where the environments stand) ↦ (where they stand now, τ)."""
    if isinstance(collect, Steps):
        return _window(environment, mu, carry, key, collect.num_steps)
    limit = max_episode_length(collect, environment.spec)
    keys = jr.split(key, collect.episodes_per_env)
    columns = jax.vmap(lambda k: _episodes(environment, mu, k, limit, collect.group))(keys)
    rows = {name: jax.tree.map(_side_by_side, value) for name, value in columns.items()}
    return carry, Trajectory(**rows, complete=True)


def _act(environment: Environment, mu: Behavior, state: PyTree, obs: PyTree, noise: PyTree, key: Any) -> tuple:
    """One step of everybody, as a row of a trajectory without its time."""
    pi = mu(obs)
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
    return state, step.obs, row


def _window(environment: Environment, mu: Behavior, carry: PyTree, key: Any, length: int) -> tuple:
    k_noise, k_step = window_keys(key)
    noise = sample_noise(mu, carry[1], k_noise, length)

    def body(carry: PyTree, x: PyTree) -> tuple:
        state, obs, time = carry
        state, obs, row = _act(environment, mu, state, obs, *x)
        fresh = row["terminated"] | row["truncated"] | ~row["valid"]
        return (state, obs, jnp.where(fresh, 0, time + 1)), row | {"time": time}

    carry, rows = lax.scan(body, carry, (noise, jr.split(k_step, length)))
    return carry, Trajectory(**rows)


def _episodes(environment: Environment, mu: Behavior, key: Any, limit: int, group: int) -> dict[str, Any]:
    """One episode from each environment, padded to [limit, N]; stops when the last one has ended."""
    k_reset, k_noise, k_step = episode_keys(key)
    each = lambda key: shared(key, environment.spec.num_envs, group)
    state, obs = environment.reset(each(k_reset))
    noise = sample_noise(mu, obs, k_noise, limit, group)
    alive = jnp.ones(environment.spec.num_envs, bool)

    def row_at(t: Array, state: PyTree, obs: PyTree, alive: Array) -> tuple:
        now, key = jax.tree.map(lambda x: x[t], noise), each(jr.fold_in(k_step, t))
        state, obs, row = _act(environment, mu, state, obs, now, key)
        row["valid"] &= alive
        return state, obs, row | {"time": jnp.full_like(alive, t, jnp.int32)}

    def body(loop: PyTree) -> PyTree:
        t, state, obs, alive, rows = loop
        state, obs, row = row_at(t, state, obs, alive)
        rows = jax.tree.map(lambda buffer, x: buffer.at[t].set(x), rows, row)
        return t + 1, state, obs, alive & ~(row["valid"] & (row["terminated"] | row["truncated"])), rows

    shapes = jax.eval_shape(row_at, jnp.int32(0), state, obs, alive)[2]
    empty = jax.tree.map(lambda s: jnp.zeros((limit, *s.shape), s.dtype), shapes)
    going = lambda loop: (loop[0] < limit) & jnp.any(loop[3])
    return lax.while_loop(going, body, (jnp.int32(0), state, obs, alive, empty))[-1]


def _side_by_side(x: Array) -> Array:
    """[k, limit, N, ...] → [limit, k·N, ...]: episode e of environment i is column e·N + i."""
    x = jnp.moveaxis(x, 0, 1)
    return x.reshape(x.shape[0], -1, *x.shape[3:])
