"""One iteration of the training loop: behavior, rollout, learn; and the carry from one iteration to the next."""

from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Int, Key, PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.collection import Episodes
from logpi.core.double import Double
from logpi.core.trees import copy_arrays
from logpi.environments.protocol import Environment, HostEnvironment, is_jax_environment
from logpi.policies.behavior import Behavior
from logpi.policies.evaluate import evaluate_with_memory
from logpi.policies.memory import as_first_row, is_recurrent
from logpi.rollout import device, statistics
from logpi.rollout.index_ranges import find_out_of_range
from logpi.types import Memory, State, Trajectory

Info = dict[str, Any]


class Carry(eqx.Module):
    """Everything that one iteration hands to the next.

    - `state`: the learner's state.
    - `key`: the run's random key before this iteration; `iteration_keys` splits it.
    - `env_state`: state of the environments on the device, with their last observations; () for environments on the
      host.
    - `partial_returns`: undiscounted return so far of each unfinished episode, [N].
    - `iteration`: number of iterations made so far.
    - `memory`: what μ and the critic remember in each environment, [N, ...], where episodes continue; () otherwise.
    """

    state: State
    key: Key[Array, ""]
    env_state: PyTree
    partial_returns: Double
    iteration: Int[Array, ""]
    memory: Memory = Memory()


class IterationKeys(NamedTuple):
    """Random keys of one iteration, independent of each other.

    - `behavior`: draws μ (the directions of a population).
    - `rollout`: draws action noise and the environments' transitions.
    - `learn`: shuffles minibatches, and whatever else `learn` draws.
    - `next`: `Carry.key` of the next iteration.
    """

    behavior: Key[Array, ""]
    rollout: Key[Array, ""]
    learn: Key[Array, ""]
    next: Key[Array, ""]


def iteration_keys(key: Key[Array, ""]) -> IterationKeys:
    """Split the carry's key into the keys of one iteration; the only place where a loop splits it."""
    return IterationKeys(*jr.split(key, 4))


def init_carry(
    algorithm: Algorithm,
    environment: Environment | HostEnvironment,
    policy: PyTree,
    critic: PyTree,
    key: Key[Array, ""],
) -> Carry:
    """Make the carry before the first iteration, in new arrays: the device loop donates them, the networks stay usable.

    - `policy`, `critic`: networks from which learning begins; the critic is None if the algorithm fits none.
    - `key`: the run's key, from which the environments' first states and `Carry.key` are drawn.
    """
    k_environment, key = jr.split(key)
    collect = algorithm.collect
    on_device = is_jax_environment(environment)
    state = algorithm.init(policy, critic)
    carry = Carry(
        state=state,
        key=key,
        env_state=device.init_env_state(environment, collect, k_environment) if on_device else (),
        partial_returns=Double.zeros(
            environment.spec.num_envs * (collect.episodes_per_env if isinstance(collect, Episodes) else 1)
        ),
        iteration=jnp.int32(0),
        memory=_initial_memory(algorithm, state, environment.spec.num_envs),
    )
    return copy_arrays(carry)


def _initial_memory(algorithm: Algorithm, state: State, num_envs: int) -> Memory:
    """Return what μ and the critic remember before the first window; nothing where iterations are whole episodes."""
    if algorithm.collect.complete:
        return Memory()
    mu = algorithm.at(0.0).behavior(state, jr.key(0))
    return Memory(policy=mu.initial(num_envs), critic=Behavior(state.critic).initial(num_envs))


def learn(
    algorithm: Algorithm, carry: Carry, mu: Behavior, tau: Trajectory, progress: Array, memory: PyTree = ()
) -> tuple[Carry, Info]:
    """Finish an iteration after its rollout τ, made on the device or on the host: (carry', metrics).

    - `progress` ∈ [0, 1]: the fraction of the run's environment steps before this iteration.
    - `memory`: of μ after the rollout, [N, ...].

    `Carry.env_state` is left as it is.
    """
    keys = iteration_keys(carry.key)
    tau, critic_memory = _with_critic_memory(carry, tau)
    state, info = algorithm.at(progress).learn(carry.state, mu, tau, keys.learn)
    # Whole episodes leave no unfinished return behind.
    partial_returns = jax.tree.map(jnp.zeros_like, carry.partial_returns) if tau.complete else carry.partial_returns
    episode_metrics, partial_returns = statistics.episode_statistics(tau, partial_returns)
    new = replace(
        carry,
        state=state,
        key=keys.next,
        partial_returns=partial_returns,
        iteration=carry.iteration + 1,
        memory=Memory(memory, critic_memory),
    )
    return new, info | episode_metrics


def _with_critic_memory(carry: Carry, tau: Trajectory) -> tuple[Trajectory, PyTree]:
    """Put what the critic remembers before a window into it, and compute what it remembers after it, [N, ...].

    The critic does not act: its memory is computed here, with the parameters that it had while μ acted.
    """
    critic = carry.state.critic
    if tau.complete or not is_recurrent(critic):
        return tau, ()
    memory = replace(tau.memory, critic=as_first_row(carry.memory.critic))
    tau = replace(tau, memory=memory)
    return tau, jax.tree.map(lambda h: h[-1], evaluate_with_memory(critic, tau, memory.critic)[1])


def run_iteration(algorithm: Algorithm, environment: Environment, carry: Carry, progress: Array) -> tuple[Carry, Info]:
    """Run one iteration on the device, a pure function: (carry', metrics)."""
    keys = iteration_keys(carry.key)
    mu = algorithm.at(progress).behavior(carry.state, keys.behavior)
    env_state, tau, memory = device.rollout(
        environment, mu, carry.env_state, keys.rollout, algorithm.collect, carry.memory.policy
    )
    carry, info = learn(algorithm, replace(carry, env_state=env_state), mu, tau, progress, memory)
    return carry, info | find_out_of_range(environment.spec.observation_space, tau)
