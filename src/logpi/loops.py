"""The one loop of the library, compiled ahead: many iterations a call on the device, one around a host rollout."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PyTree

from logpi.advance import Stretch, advance, limits
from logpi.environments.protocol import Environment, HostEnvironment
from logpi.iterate import Carry, Info, learn, on_device
from logpi.policies.behaviour import Behaviour
from logpi.rollout.host import HostRollout
from logpi.rollout.noise import rollout_noise
from logpi.rollout.observations import with_successors
from logpi.rollout.scores import scores
from logpi.seeds import TRAINING, derive
from logpi.trees import compiled, lowered, ready
from logpi.types import Trajectory

CAPACITY = 256  # iterations to a call on the device: more would spare nothing that can be measured


class Iteration(NamedTuple):
    """Iterations, compiled, and what they leave outside of their carry: episodes under way on the host.

    - `run`: (carry, stretch) ↦ (carry, the figures of each iteration); on the host it makes one.
    - `unfinished`: a function that gives those episodes as arrays; what it gives does not change with later ones.
    - `resume`: brings them back, from such arrays: which of the environments had to begin afresh, [N].
    - `consumes`: whether `run` uses up the carry it is given, so that there is no way back to it.
    """

    run: Callable[[Carry, Stretch], tuple[Carry, list[Info]]]
    unfinished: Callable[[], Callable[[], dict[str, Any]]]
    resume: Callable[[Carry, dict[str, Any]], np.ndarray]
    consumes: bool


def compile_iteration(algorithm: Any, environment: Any, carry: Carry, seed: int, capacity: int = CAPACITY) -> Iteration:
    """Iterations, compiled before the first step is taken. Errors in how parts fit together surface here.

    `capacity`: the most that one call makes on the device.
    """
    if on_device(environment):
        return _on_device(algorithm, environment, carry, capacity)
    return _on_host(algorithm, environment, carry, seed)


def lowered_iterations(
    algorithm: Any, environment: Environment, carry: Carry, capacity: int = CAPACITY
) -> tuple[jax.stages.Lowered, PyTree]:
    """The one program of a run on the device, traced but not compiled; and what of the carry is not an array."""
    forward = lambda carry, limits: advance(algorithm, environment, carry, limits, capacity)
    return lowered(forward, carry, jax.device_put(limits(Stretch(0, 1, 1, 1), capacity)), donate=True)


def _on_device(algorithm: Any, environment: Environment, carry: Carry, capacity: int) -> Iteration:
    """Whole iterations, as many as fit in a stretch, as one program."""
    program = ready(*lowered_iterations(algorithm, environment, carry, capacity))

    def run(carry: Carry, stretch: Stretch) -> tuple[Carry, list[Info]]:
        started = time.perf_counter()
        carry, (made, figures) = program(carry, jax.device_put(limits(stretch, capacity)))
        made, figures = jax.device_get((made, figures))
        return carry, rows_of(int(made), figures, time.perf_counter() - started)

    nothing_lost = np.zeros(environment.spec.num_envs, bool)
    return Iteration(run, lambda: dict, lambda carry, kept: nothing_lost, True)


def rows_of(made: int, figures: Info, seconds: float) -> list[Info]:
    """The figures of each iteration of a call; its time is shared out by steps."""
    total = max(int(figures["steps"][:made].sum()), 1)
    share = lambda i: {"rollout_seconds": None, "learn_seconds": seconds * max(int(figures["steps"][i]), 1) / total}
    return [jax.tree.map(lambda x, i=i: x[i], figures) | share(i) for i in range(made)]


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

    def run(carry: Carry, stretch: Stretch) -> tuple[Carry, list[Info]]:
        started = time.perf_counter()
        progress = stretch.steps / stretch.budget
        mu, noise = preparing(carry, obs, jnp.float32(progress))
        fields = rollout.collect(mu, jax.device_get(noise), derive(seed, TRAINING, int(carry.iteration)))
        collected = time.perf_counter()
        if rollout.room not in learning:  # more ends than there was room for
            learning[rollout.room] = compiled(absorb, carry, mu, fields, jnp.float32(progress))
        carry, info = learning[rollout.room](carry, mu, fields, jnp.float32(progress))
        info = jax.device_get(info)
        seconds = {"rollout_seconds": collected - started, "learn_seconds": time.perf_counter() - collected}
        return carry, [info | seconds]

    def resume(carry: Carry, kept: dict[str, Any]) -> np.ndarray:
        if carry.iteration == 0:
            return np.zeros(environment.spec.num_envs, bool)
        return rollout.resume(kept, derive(seed, TRAINING, 0), derive(seed, TRAINING, int(carry.iteration)))

    return Iteration(run, rollout.unfinished, resume, False)
