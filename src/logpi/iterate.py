"""The one loop of the library: behaviour, rollout, learn; compiled ahead, on the device or around a host rollout."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from logpi.environments.protocol import Environment, HostEnvironment
from logpi.policies.behaviour import Behaviour
from logpi.rollout import device, episodes
from logpi.rollout.host import HostRollout
from logpi.rollout.noise import rollout_noise
from logpi.rollout.observations import with_successors
from logpi.rollout.scores import scores
from logpi.seeds import TRAINING, derive
from logpi.trees import compiled
from logpi.types import State, Trajectory

Info = dict[str, Any]


class Carry(eqx.Module):
    """All that one iteration hands to the next: the learner, the key, the environments, unfinished episodes."""

    state: State
    key: Key[Array, ""]
    environment: PyTree
    running: Float[Array, " N"]
    iteration: Int[Array, ""]


class Iteration(NamedTuple):
    """One iteration, compiled, and what it leaves outside of its carry: episodes under way on the host.

    - `run`: (carry, progress) ↦ (carry, figures); `progress` is the share of the run's steps taken so far.
    - `unfinished`: a function that gives those episodes as arrays; what it gives does not change with later ones.
    - `resume`: brings them back, from such arrays: which of the environments had to begin afresh, [N].
    """

    run: Callable[[Carry, float], tuple[Carry, Info]]
    unfinished: Callable[[], Callable[[], dict[str, Any]]]
    resume: Callable[[Carry, dict[str, Any]], np.ndarray]


def begin(algorithm: Any, environment: Any, policy: PyTree, critic: PyTree, key: Key[Array, ""]) -> Carry:
    """The carry before the first iteration."""
    k_environment, key = jr.split(key)
    state = algorithm.init(policy, critic)
    stands = device.begin(environment, algorithm.collect, k_environment) if on_device(environment) else ()
    columns = environment.spec.num_envs * (algorithm.collect.per_environment if algorithm.collect.complete else 1)
    return Carry(state, key, stands, jnp.zeros(columns), jnp.int32(0))


def on_device(environment: Any) -> bool:
    """Whether the environment is written in JAX (it is then a PyTree of pure functions)."""
    return isinstance(environment, eqx.Module)


def compile_iteration(algorithm: Any, environment: Any, carry: Carry, seed: int) -> Iteration:
    """One iteration, compiled before the first step is taken. Errors in how parts fit together surface here."""
    if on_device(environment):
        return _on_device(algorithm, environment, carry)
    return _on_host(algorithm, environment, carry, seed)


def learn(algorithm: Any, carry: Carry, mu: Behaviour, tau: Trajectory, progress: Array) -> tuple[State, Array, Info]:
    """What follows a rollout, wherever it was made: (state', unfinished returns, figures)."""
    key = jr.split(carry.key, 4)[2]
    state, info = algorithm.at(progress).learn(carry.state, mu, tau, key)
    running = jnp.zeros_like(carry.running) if tau.complete else carry.running
    figures, running = episodes.statistics(tau, running)
    return state, running, info | figures


def iterate(algorithm: Any, environment: Environment, carry: Carry, progress: Array) -> tuple[Carry, Info]:
    """One iteration on the device, a pure function: behaviour, rollout, learn."""
    k_mu, k_rollout, _, key = jr.split(carry.key, 4)
    mu = algorithm.at(progress).behaviour(carry.state, k_mu)
    stands, tau = device.rollout(environment, mu, carry.environment, k_rollout, algorithm.collect)
    state, running, info = learn(algorithm, carry, mu, tau, progress)
    return Carry(state, key, stands, running, carry.iteration + 1), info


def _on_device(algorithm: Any, environment: Environment, carry: Carry) -> Iteration:
    """The whole iteration as one program."""
    program = compiled(lambda carry, progress: iterate(algorithm, environment, carry, progress), carry, jnp.float32(0))

    def run(carry: Carry, progress: float) -> tuple[Carry, Info]:
        started = time.perf_counter()
        carry, info = program(carry, jnp.float32(progress))
        info = jax.device_get(info)
        return carry, info | {"rollout_seconds": None, "learn_seconds": time.perf_counter() - started}

    nothing_lost = np.zeros(environment.spec.num_envs, bool)
    return Iteration(run, lambda: dict, lambda carry, kept: nothing_lost)


def _on_host(algorithm: Any, environment: HostEnvironment, carry: Carry, seed: int) -> Iteration:
    """Two programs with the host's rollout between them: draw μ and the noise; learn from τ."""
    collect = algorithm.collect
    obs = environment.reset(derive(seed, TRAINING, 0))

    def prepare(carry: Carry, obs: PyTree, progress: Array) -> tuple[Behaviour, PyTree]:
        k_mu, k_rollout, _, _ = jr.split(carry.key, 4)
        mu = algorithm.at(progress).behaviour(carry.state, k_mu)
        return mu, rollout_noise(mu, obs, k_rollout, collect, environment.spec)

    def absorb(carry: Carry, mu: Behaviour, fields: dict[str, PyTree], progress: Array) -> tuple[Carry, Info]:
        fields = with_successors(fields) | {"reward": fields["reward"].astype(float)}
        log_prob = scores(mu, fields["obs"], fields["action"], environment.spec.num_envs)
        tau = Trajectory(**fields, log_prob=log_prob, complete=collect.complete)
        state, running, info = learn(algorithm, carry, mu, tau, progress)
        return Carry(state, jr.split(carry.key, 4)[3], (), running, carry.iteration + 1), info

    preparing = compiled(prepare, carry, obs, jnp.float32(0))
    mu, noise = preparing(carry, obs, jnp.float32(0))
    rollout = HostRollout(environment, collect, mu, obs, noise)
    learning = {rollout.room: compiled(absorb, carry, mu, rollout.buffers, jnp.float32(0))}

    def run(carry: Carry, progress: float) -> tuple[Carry, Info]:
        started = time.perf_counter()
        mu, noise = preparing(carry, obs, jnp.float32(progress))
        fields = rollout.collect(mu, jax.device_get(noise), derive(seed, TRAINING, int(carry.iteration)))
        collected = time.perf_counter()
        if rollout.room not in learning:  # more ends than there was room for
            learning[rollout.room] = compiled(absorb, carry, mu, fields, jnp.float32(progress))
        carry, info = learning[rollout.room](carry, mu, fields, jnp.float32(progress))
        info = jax.device_get(info)
        seconds = {"rollout_seconds": collected - started, "learn_seconds": time.perf_counter() - collected}
        return carry, info | seconds

    def resume(carry: Carry, kept: dict[str, Any]) -> np.ndarray:
        if carry.iteration == 0:
            return np.zeros(environment.spec.num_envs, bool)
        return rollout.resume(kept, derive(seed, TRAINING, 0), derive(seed, TRAINING, int(carry.iteration)))

    return Iteration(run, rollout.unfinished, resume)
