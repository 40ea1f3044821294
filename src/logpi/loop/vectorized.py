"""Many learners as one program: each has its own seed, its own numbers, and its own place in a leading axis."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Key, PyTree

from logpi.core.compilation import aot_compile, finish_compile, lower
from logpi.core.schedules import LinearSchedule
from logpi.environments.protocol import Environment
from logpi.errors import LogpiError
from logpi.loop.compile import MAX_ITERATIONS_PER_CALL, metrics_per_iteration
from logpi.loop.device import CallBudget, DeviceCallBudget, device_call_budget, run_iterations
from logpi.loop.iteration import Carry, Info, init_carry

RunMany = Callable[[Carry, Sequence[CallBudget]], tuple[Carry, list[list[Info]]]]


def stack_hyperparameters(algorithms: Sequence[Any]) -> tuple[list[Array], Callable[[list[Array]], Any]]:
    """(the numbers in which they differ, stacked; from one row of these, the algorithm): schedules count as numbers.

    Raises LogpiError where they differ in more than numbers: that would be another program.
    """
    leaves, structures = zip(*(jax.tree.flatten(a, is_leaf=_is_schedule) for a in algorithms), strict=True)
    if any(structure != structures[0] for structure in structures):
        raise LogpiError(
            "the algorithms differ in the program's shape; allowed: to differ in rates, weights and discounts"
        )
    columns = list(zip(*leaves, strict=True))
    where = [i for i, column in enumerate(columns) if not all(_same(x, column[0]) for x in column)]
    pairs = [jnp.asarray([_endpoints(x) for x in columns[i]], float) for i in where]
    curved = [any(_is_schedule(x) for x in columns[i]) for i in where]

    def one(numbers: list[Array]) -> Any:
        made = list(leaves[0])
        for i, pair, curve in zip(where, numbers, curved, strict=True):
            made[i] = LinearSchedule(pair[0], pair[1]) if curve else pair[0]
        return jax.tree.unflatten(structures[0], made)

    return pairs, one


def _is_schedule(leaf: Any) -> bool:
    return isinstance(leaf, LinearSchedule)


def _same(a: Any, b: Any) -> bool:
    """Whether two leaves are one value: numbers, schedules, or arrays."""
    return a is b or (np.array_equal(a, b) if eqx.is_array(a) else a == b)


def _endpoints(number: Any) -> tuple[Any, Any]:
    return (number.start, number.end) if isinstance(number, LinearSchedule) else (number, number)


def init_many(
    algorithms: Sequence[Any], environment: Environment, networks: tuple[PyTree, PyTree], keys: Key[Array, " M"]
) -> Carry:
    """The carries before the first iteration, stacked; so are the networks and the keys."""
    numbers, one = stack_hyperparameters(algorithms)
    each = lambda numbers, policy, critic, key: init_carry(one(numbers), environment, policy, critic, key)
    every = lambda *given: (eqx.filter_vmap(each)(*given), ())
    return aot_compile(every, numbers, *networks, keys)(numbers, *networks, keys)[0]


def compile_many(
    algorithms: Sequence[Any], environment: Environment, carry: Carry, capacity: int = MAX_ITERATIONS_PER_CALL
) -> RunMany:
    """Iterations of all of them, compiled: (carries, a stretch for each) ↦ (carries, each one's figures).

    One whose stretch allows no iteration rests. Members are spread over the devices there are, and none hears of the
    others: what is not finite in one stays there.
    """
    members, (numbers, one) = len(algorithms), stack_hyperparameters(algorithms)
    spread = _spread(members)
    arrays, static = eqx.partition(carry, eqx.is_array)

    def each(arrays: PyTree, numbers: list[Array], limits: DeviceCallBudget) -> tuple[PyTree, PyTree]:
        carry, figures = run_iterations(one(numbers), environment, eqx.combine(arrays, static), limits, capacity)
        return eqx.filter(carry, eqx.is_array), figures

    def placed(stretches: Sequence[CallBudget]) -> DeviceCallBudget:
        many = [device_call_budget(stretch, capacity) for stretch in stretches]
        return jax.device_put(jax.tree.map(lambda *x: np.stack(x), *many), spread)

    axis = spread.spec
    side_by_side = jax.shard_map(map_members(each), mesh=spread.mesh, in_specs=axis, out_specs=axis, check_vma=False)
    numbers = jax.device_put(numbers, spread)
    start = placed([CallBudget(0, 1, 1, 1)] * members)
    program = finish_compile(*lower(side_by_side, jax.device_put(arrays, spread), numbers, start, donate=True))

    def run(carry: Carry, stretches: Sequence[CallBudget]) -> tuple[Carry, list[list[Info]]]:
        started = time.perf_counter()
        arrays = jax.device_put(eqx.filter(carry, eqx.is_array), spread)
        arrays, (made, figures) = program(arrays, numbers, placed(stretches))
        made, figures = jax.device_get((made, figures))
        seconds = time.perf_counter() - started
        of = lambda i: metrics_per_iteration(int(made[i]), jax.tree.map(lambda x: x[i], figures), seconds)
        return eqx.combine(arrays, static), [of(i) for i in range(members)]

    return run


def map_members(each: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """The function of every member that a device has: side by side; on a CPU one after the other.

    Side by side, small matrix products gain nothing on a CPU, and loops that end at different times cost: 32 learners
    took 34 times as long as one, and 30 times one after the other (measured, PPO, 8 × 256, in seconds of a core).
    """
    return (lambda *x: lax.map(lambda y: each(*y), x)) if jax.default_backend() == "cpu" else jax.vmap(each)


def _spread(members: int) -> NamedSharding:
    """Equal shares for as many of the devices as that is possible for."""
    devices = jax.devices()
    number = max(n for n in range(1, len(devices) + 1) if members % n == 0)
    return NamedSharding(Mesh(np.asarray(devices[:number]), ("members",)), PartitionSpec("members"))
