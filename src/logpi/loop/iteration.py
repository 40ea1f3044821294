"""One iteration of the library's one loop: behavior, rollout, learn; and what one hands to the next."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, Key, PyTree

from logpi.core.trees import copy_arrays
from logpi.environments.protocol import Environment, is_jax_environment
from logpi.policies.behavior import Behavior
from logpi.rollout import device, statistics
from logpi.types import State, Trajectory

Info = dict[str, Any]


class Carry(eqx.Module):
    """All that one iteration hands to the next: the learner, the key, the environments, unfinished episodes."""

    state: State
    key: Key[Array, ""]
    env_state: PyTree
    partial_returns: Float[Array, " N"]
    iteration: Int[Array, ""]


def init_carry(algorithm: Any, environment: Any, policy: PyTree, critic: PyTree, key: Key[Array, ""]) -> Carry:
    """The carry before the first iteration, in arrays of its own: those of the networks stay whose they are."""
    k_environment, key = jr.split(key)
    state = algorithm.init(policy, critic)
    stands = (
        device.init_env_state(environment, algorithm.collect, k_environment) if is_jax_environment(environment) else ()
    )
    columns = environment.spec.num_envs * (algorithm.collect.episodes_per_env if algorithm.collect.complete else 1)
    return copy_arrays(Carry(state, key, stands, jnp.zeros(columns), jnp.int32(0)))


def learn(algorithm: Any, carry: Carry, mu: Behavior, tau: Trajectory, progress: Array) -> tuple[State, Array, Info]:
    """What follows a rollout, wherever it was made: (state', unfinished returns, figures)."""
    key = jr.split(carry.key, 4)[2]
    state, info = algorithm.at(progress).learn(carry.state, mu, tau, key)
    running = jnp.zeros_like(carry.partial_returns) if tau.complete else carry.partial_returns
    figures, running = statistics.episode_statistics(tau, running)
    return state, running, info | figures


def run_iteration(algorithm: Any, environment: Environment, carry: Carry, progress: Array) -> tuple[Carry, Info]:
    """One iteration on the device, a pure function: behavior, rollout, learn."""
    k_mu, k_rollout, _, key = jr.split(carry.key, 4)
    mu = algorithm.at(progress).behavior(carry.state, k_mu)
    stands, tau = device.rollout(environment, mu, carry.env_state, k_rollout, algorithm.collect)
    state, running, info = learn(algorithm, carry, mu, tau, progress)
    return Carry(state, key, stands, running, carry.iteration + 1), info
