"""The one loop of the library: behaviour, rollout, learn; compiled ahead, on the device or beside a host rollout."""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from logpi.environments.protocol import Environment, HostEnvironment
from logpi.policies.behaviour import Behaviour
from logpi.rollout import device, episodes
from logpi.rollout.acting import actor
from logpi.rollout.host import HostRollout
from logpi.rollout.noise import draw
from logpi.seeds import TRAINING, derive
from logpi.types import State, Trajectory


class Carry(eqx.Module):
    """All that one iteration hands to the next: the learner, the key, the environments, unfinished episodes."""

    state: State
    key: Key[Array, ""]
    environment: PyTree
    running: Float[Array, " N"]
    iteration: Int[Array, ""]


Iteration = Callable[[Carry, float], tuple[Carry, dict[str, Any]]]


def begin(algorithm: Any, environment: Any, policy: PyTree, critic: PyTree, key: Key[Array, ""]) -> Carry:
    """The carry before the first iteration."""
    k_environment, key = jr.split(key)
    state = algorithm.init(policy, critic)
    stands = device.begin(environment, algorithm.collect, k_environment) if on_device(environment) else ()
    return Carry(state, key, stands, _nothing_running(algorithm, environment), jnp.int32(0))


def on_device(environment: Environment | HostEnvironment) -> bool:
    """Whether the environment is written in JAX (it is then a PyTree of pure functions)."""
    return isinstance(environment, eqx.Module)


def compile_iteration(algorithm: Any, environment: Any, carry: Carry, seed: int) -> Iteration:
    """Everything compiled before the first step is taken; errors in how parts fit together surface here."""
    build = _device_iteration if on_device(environment) else _host_iteration
    return build(algorithm, environment, carry, seed)


def _device_iteration(algorithm: Any, environment: Environment, carry: Carry, seed: int) -> Iteration:
    del seed

    def iterate(carry: Carry, progress: Array) -> tuple[Carry, dict[str, Array]]:
        k_mu, k_rollout, k_learn, key = jr.split(carry.key, 4)
        mu = algorithm.behaviour(carry.state, k_mu)
        stands, tau = device.rollout(environment, mu, carry.environment, k_rollout, algorithm.collect)
        state, info = algorithm.at(progress).learn(carry.state, mu, tau, k_learn)
        figures, running = episodes.statistics(tau, _running(algorithm, carry, tau))
        return Carry(state, key, stands, running, carry.iteration + 1), info | figures

    compiled, arrays, static = _compiled(iterate, carry, jnp.float32(0))

    def run(carry: Carry, progress: float) -> tuple[Carry, dict[str, Any]]:
        started = time.perf_counter()
        arrays, info = compiled(eqx.filter(carry, eqx.is_array), jnp.float32(progress))
        info = jax.device_get(info)
        seconds = time.perf_counter() - started
        return eqx.combine(arrays, static), info | {"rollout_seconds": None, "learn_seconds": seconds}

    return run


def _host_iteration(algorithm: Any, environment: HostEnvironment, carry: Carry, seed: int) -> Iteration:
    """Two compiled programs with the host's rollout between them: draw μ and the noise; learn from τ."""
    collect, spec = algorithm.collect, environment.spec
    example = environment.reset(seed)
    length = collect.length if not collect.complete else int(spec.time_limit or 0)

    def prepare(carry: Carry, obs: Array) -> tuple[Behaviour, PyTree]:
        k_mu, k_rollout, _, _ = jr.split(carry.key, 4)
        mu = algorithm.behaviour(carry.state, k_mu)
        if not collect.complete:
            return mu, draw(mu, obs, jr.split(k_rollout)[0], length)
        keys = jr.split(k_rollout, collect.per_environment)
        return mu, jax.vmap(lambda key: draw(mu, obs, jr.split(key, 3)[1], length))(keys)

    def learn(carry: Carry, mu: Behaviour, fields: dict[str, Array], progress: Array) -> tuple[Carry, dict[str, Array]]:
        _, _, k_learn, key = jr.split(carry.key, 4)
        log_prob = jax.vmap(mu)(fields["obs"]).log_prob(fields["action"])
        tau = Trajectory(**fields, log_prob=log_prob, complete=collect.complete)
        state, info = algorithm.at(progress).learn(carry.state, mu, tau, k_learn)
        figures, running = episodes.statistics(tau, _running(algorithm, carry, tau))
        return Carry(state, key, (), running, carry.iteration + 1), info | figures

    prepared, _, mu_static = _compiled(prepare, carry, example, returns_static=True)
    mu, noise = jax.device_get(prepared(eqx.filter(carry, eqx.is_array), example))
    first = noise[0] if not collect.complete else noise[0, 0]
    full_mu = eqx.combine(mu, mu_static)
    bind = actor(full_mu, example, first)
    rollout = HostRollout(environment, collect, example, bind(mu)(example, first)[0])
    learned, _, static = _compiled(learn, carry, full_mu, rollout.buffers, jnp.float32(0))
    rollout.begin(derive(seed, TRAINING, 0))

    def run(carry: Carry, progress: float) -> tuple[Carry, dict[str, Any]]:
        started = time.perf_counter()
        arrays = eqx.filter(carry, eqx.is_array)
        mu, noise = prepared(arrays, example)
        episode_seed = derive(seed, TRAINING, int(carry.iteration))
        fields = rollout.collect(bind(jax.device_get(mu)), np.asarray(noise), episode_seed)
        collected = time.perf_counter()
        arrays, info = learned(arrays, mu, fields, jnp.float32(progress))
        info = jax.device_get(info)
        seconds = {"rollout_seconds": collected - started, "learn_seconds": time.perf_counter() - collected}
        return eqx.combine(arrays, static), info | seconds

    return run


def _compiled(function: Callable, *arguments: Any, returns_static: bool = False) -> tuple[Callable, Any, Any]:
    """`function` compiled for arguments like these, the arrays of its first result, and that result's other parts."""
    dynamic, fixed = eqx.partition(arguments, eqx.is_array)
    static: list[Any] = []

    def flat(*arrays: Any) -> Any:
        first, second = function(*eqx.combine(arrays, fixed))
        static.append(eqx.filter(first, eqx.is_array, inverse=True))
        return eqx.filter(first, eqx.is_array), second

    compiled = jax.jit(flat).lower(*dynamic).compile()
    return compiled, dynamic, static[0]


def _running(algorithm: Any, carry: Carry, tau: Trajectory) -> Array:
    return jnp.zeros(tau.reward.shape[1]) if algorithm.collect.complete else carry.running


def _nothing_running(algorithm: Any, environment: Any) -> Array:
    k = algorithm.collect.per_environment if algorithm.collect.complete else 1
    return jnp.zeros(environment.spec.num_envs * k)
