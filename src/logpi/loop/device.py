"""Many iterations in one compiled program: rollout, credit, update and again, without a word from the host."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree

from logpi.environments.protocol import Environment
from logpi.loop.iteration import Carry, Info, run_iteration

LOW_BITS = 24  # whole numbers below 2^24 are exact in float32
MAX_DISTANCE = 2**30


class CallBudget(NamedTuple):
    """How far to go in one call: where the run stands, and what ends the call. At least one iteration is made.

    - `steps`: taken before it; `budget`: of the whole run. Schedules are told the share.
    - `until`: no iteration begins once the run has taken so many steps, because something is due there.
    - `largest`: the most that one iteration can take; none begins that might not fit in the budget.
    - `most`: so many iterations at most.
    """

    steps: int
    budget: int
    stop_at_steps: int
    max_steps_per_iteration: int
    max_iterations: int = 1


class Iteration(NamedTuple):
    """Iterations, compiled, and what they leave outside of their carry: episodes under way on the host.

    - `run`: (carry, stretch) ↦ (carry, the figures of each iteration); on the host it makes one.
    - `unfinished`: a function that gives those episodes as arrays; what it gives does not change with later ones.
    - `resume`: brings them back, from such arrays: which of the environments had to begin afresh, [N].
    - `consumes`: whether `run` uses up the carry it is given, so that there is no way back to it.
    - `close`: ends what was started for them.
    """

    run: Callable[[Carry, CallBudget], tuple[Carry, list[Info]]]
    unfinished: Callable[[], Callable[[], dict[str, Any]]]
    resume: Callable[[Carry, dict[str, Any]], np.ndarray]
    consumes: bool
    close: Callable[[], None]


class DeviceCallBudget(eqx.Module):
    """A stretch as the device sees it: counts from where it begins. Steps before it are high · 2²⁴ + low."""

    high: Int[Array | np.ndarray, "*S"]
    low: Int[Array | np.ndarray, "*S"]
    budget: Float[Array | np.ndarray, "*S"]
    stop_at_steps: Int[Array | np.ndarray, "*S"]
    steps_left: Int[Array | np.ndarray, "*S"]
    max_iterations: Int[Array | np.ndarray, "*S"]

    def progress(self, taken: Int[Array, ""]) -> Float[Array, ""]:
        """The share of the run's steps; it depends on their number alone, not on where the stretch began."""
        low = jnp.add(self.low, taken)
        high, low = jnp.add(self.high, low >> LOW_BITS), low & (2**LOW_BITS - 1)
        return jnp.divide(high.astype(jnp.float32) * 2**LOW_BITS + low.astype(jnp.float32), self.budget)

    def has_next(self, made: Int[Array, ""], taken: Int[Array, ""]) -> Bool[Array, ""]:
        """Whether another iteration begins after so many, which took so many steps."""
        fits = (taken < self.stop_at_steps) & (taken <= self.steps_left)
        return (made < self.max_iterations) & (fits | (made == 0))


def device_call_budget(stretch: CallBudget, capacity: int) -> DeviceCallBudget:
    """As numbers for the device, where at most `capacity` iterations are made in one call."""
    near = lambda steps: max(min(steps - stretch.steps, MAX_DISTANCE), -MAX_DISTANCE)
    high, low = divmod(stretch.steps, 2**LOW_BITS)
    whole = (
        high,
        low,
        near(stretch.stop_at_steps),
        near(stretch.budget - stretch.max_steps_per_iteration),
        min(stretch.max_iterations, capacity),
    )
    high, low, until, room, most = (np.array(number, np.int32) for number in whole)
    return DeviceCallBudget(high, low, np.array(stretch.budget, np.float32), until, room, most)


def run_iterations(
    algorithm: Any, environment: Environment, carry: Carry, limits: DeviceCallBudget, capacity: int
) -> tuple[Carry, tuple[Int[Array, ""], Info]]:
    """(the carry after a stretch, (how many iterations it took, their figures [capacity])): a pure function.

    Every iteration, in whatever stretch it falls, goes through the same compiled lines: the bits are the same.
    """
    arrays, static = eqx.partition(carry, eqx.is_array)

    def once(arrays: PyTree, taken: Array) -> tuple[PyTree, Info]:
        new, info = run_iteration(algorithm, environment, eqx.combine(arrays, static), limits.progress(taken))
        return eqx.filter(new, eqx.is_array), info

    def body(loop: PyTree) -> PyTree:
        made, taken, arrays, figures = loop
        arrays, info = once(arrays, taken)
        figures = jax.tree.map(lambda rows, x: rows.at[made].set(x), figures, info)
        return made + 1, taken + info["steps"], arrays, figures

    shapes = jax.eval_shape(once, arrays, jnp.int32(0))[1]
    figures = jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), shapes)
    start = (jnp.int32(0), jnp.int32(0), arrays, figures)
    made, _, arrays, figures = lax.while_loop(lambda loop: limits.has_next(loop[0], loop[1]), body, start)
    return eqx.combine(arrays, static), (made, figures)
