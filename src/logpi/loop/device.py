"""The training loop of JAX environments: many iterations as one compiled program, without returning to Python."""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.compilation import Fill, Program, finish_compile, lower
from logpi.core.double import host_metrics
from logpi.environments.protocol import Environment, Spec
from logpi.loop.iteration import Carry, Info, run_iteration
from logpi.loop.protocol import CallBudget
from logpi.loop.sharding import shard_map_learners, shardings_of
from logpi.rollout.index_ranges import refuse_out_of_range

MAX_ITERATIONS_PER_CALL = 256  # more iterations in one call save nothing measurable
LOW_BITS = 24  # whole numbers up to 2²⁴ are exact in float32
MAX_DISTANCE = 2**30  # step distances are cut off here: an int32 holds them, and a sum of two


class DeviceLoop:
    """Training loop that runs up to `capacity` iterations a call in one compiled program, and donates the carry."""

    donates_carry = True

    def __init__(
        self, algorithm: Algorithm, environment: Environment, carry: Carry, capacity: int = MAX_ITERATIONS_PER_CALL
    ):
        """Compile the program for carries with the shapes and shardings of this one."""
        self._spec, self._capacity = environment.spec, capacity
        self._program = finish_compile(*lower_device_loop(algorithm, environment, carry, capacity))

    def run(self, carry: Carry, budget: CallBudget) -> tuple[Carry, list[Info]]:
        """Run iterations until the budget or the capacity ends the call: (carry, metrics of each iteration)."""
        started = time.perf_counter()
        carry, outputs = self._program(carry, jax.device_put(device_call_budget(budget, self._capacity)))
        count, metrics = jax.device_get(outputs)
        return carry, metrics_per_iteration(int(count), metrics, time.perf_counter() - started, self._spec)

    def snapshot(self) -> Callable[[], dict[str, Any]]:
        """Return the empty snapshot: the carry holds the environments' states."""
        return dict

    def resume(self, carry: Carry, snapshot: dict[str, Any]) -> Bool[np.ndarray, " N"]:
        """Return all False: no episode is lost, since the carry holds all of them."""
        return np.zeros(self._spec.num_envs, bool)

    def close(self) -> None:
        """Do nothing: the loop holds no process."""


def lower_device_loop(
    algorithm: Algorithm, environment: Environment, carry: Carry, capacity: int = MAX_ITERATIONS_PER_CALL
) -> tuple[Program, Fill]:
    """Trace the program of a device loop without compiling it: (the traced program, the form of the carry)."""
    forward = shard_map_learners(
        lambda carry, limits: run_iterations(algorithm, environment, carry, limits, capacity), carry
    )
    example = jax.device_put(device_call_budget(CallBudget(0, 1, 1, 1), capacity))
    return lower(forward, carry, example, donate=True, places=shardings_of(eqx.filter(carry, eqx.is_array)))


class DeviceCallBudget(eqx.Module):
    """A `CallBudget` in 32-bit numbers, as step counts relative to the beginning of the call.

    The steps taken before the call are high · 2²⁴ + low, with 0 ≤ low < 2²⁴: JAX computes in 32 bits, a run may take
    more than 2³¹ steps, and both parts convert to float32 without rounding, which whole numbers up to 2²⁴ do.

    - `stop_at_steps`: start no iteration after so many steps of this call.
    - `steps_left`: start no iteration after so many steps of this call, since it might exceed the budget.
    """

    high: Int[Array | np.ndarray, "*S"]
    low: Int[Array | np.ndarray, "*S"]
    budget: Float[Array | np.ndarray, "*S"]
    stop_at_steps: Int[Array | np.ndarray, "*S"]
    steps_left: Int[Array | np.ndarray, "*S"]
    max_iterations: Int[Array | np.ndarray, "*S"]

    def progress(self, taken: Int[Array, ""]) -> Float[Array, ""]:
        """Return steps / budget after `taken` steps of this call; equal totals give equal bits in any call."""
        low = jnp.add(self.low, taken)
        high, low = jnp.add(self.high, low >> LOW_BITS), low & (2**LOW_BITS - 1)
        return jnp.divide(high.astype(jnp.float32) * 2**LOW_BITS + low.astype(jnp.float32), self.budget)

    def has_next(self, iterations: Int[Array, ""], taken: Int[Array, ""]) -> Bool[Array, ""]:
        """Return whether another iteration begins after so many iterations and steps of this call."""
        fits = (taken < self.stop_at_steps) & (taken <= self.steps_left)
        return (iterations < self.max_iterations) & (fits | (iterations == 0))


def device_call_budget(budget: CallBudget, capacity: int) -> DeviceCallBudget:
    """Convert a call's budget for the device, where one call makes at most `capacity` iterations."""
    # 2³⁰ steps are more than any call takes, so a distance beyond them never ends one: cutting it off changes nothing.
    distance = lambda steps: max(min(steps - budget.steps, MAX_DISTANCE), -MAX_DISTANCE)
    high, low = divmod(budget.steps, 2**LOW_BITS)
    return DeviceCallBudget(
        high=np.array(high, np.int32),
        low=np.array(low, np.int32),
        budget=np.array(budget.budget, np.float32),
        stop_at_steps=np.array(distance(budget.stop_at_steps), np.int32),
        steps_left=np.array(distance(budget.budget - budget.max_steps_per_iteration), np.int32),
        max_iterations=np.array(min(budget.max_iterations, capacity), np.int32),
    )


def run_iterations(
    algorithm: Algorithm, environment: Environment, carry: Carry, limits: DeviceCallBudget, capacity: int
) -> tuple[Carry, tuple[Int[Array, ""], Info]]:
    """Run the iterations of one call, a pure function: (carry, (number of iterations, their metrics [capacity])).

    Every iteration of every call goes through the same compiled lines, so its bits do not depend on where calls begin.
    """
    arrays, static = eqx.partition(carry, eqx.is_array)

    def once(arrays: PyTree, taken: Array) -> tuple[PyTree, Info]:
        new, info = run_iteration(algorithm, environment, eqx.combine(arrays, static), limits.progress(taken))
        return eqx.filter(new, eqx.is_array), info

    def body(loop: PyTree) -> PyTree:
        count, taken, arrays, metrics = loop
        arrays, info = once(arrays, taken)
        metrics = jax.tree.map(lambda rows, x: rows.at[count].set(x), metrics, info)
        return count + 1, taken + info["steps"], arrays, metrics

    # Rows of metrics are written into arrays of fixed length: a while loop returns nothing that grows.
    with jax.disable_jit(False):  # shapes need a trace, also where nothing else is traced
        shapes = jax.eval_shape(once, arrays, jnp.int32(0))[1]
    metrics = jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), shapes)
    start = (jnp.int32(0), jnp.int32(0), arrays, metrics)
    count, _, arrays, metrics = lax.while_loop(lambda loop: limits.has_next(loop[0], loop[1]), body, start)
    return eqx.combine(arrays, static), (count, metrics)


def metrics_per_iteration(count: int, metrics: Info, seconds: float, spec: Spec) -> list[Info]:
    """Split a call's stacked metrics into those of its `count` iterations.

    The call's seconds are divided in proportion to steps: the device does not tell when each iteration ended. Raises
    LogpiError where an environment of this spec answered an index outside its observation space.
    """
    metrics = jax.tree.map(lambda x: x[:count], metrics)
    metrics = refuse_out_of_range(metrics, spec)
    total = max(int(metrics["steps"][:count].sum()), 1)
    share = lambda i: {"rollout_seconds": None, "learn_seconds": seconds * max(int(metrics["steps"][i]), 1) / total}
    metrics = host_metrics(metrics)
    return [jax.tree.map(lambda x, i=i: x[i], metrics) | share(i) for i in range(count)]
