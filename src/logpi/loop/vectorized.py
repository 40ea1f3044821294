"""Many runs as one program: each has its own seed, its own hyperparameters, and its own row of a leading axis."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Key, PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.compilation import aot_compile, finish_compile, lower
from logpi.core.schedules import LinearSchedule
from logpi.environments.protocol import Environment
from logpi.errors import LogpiError
from logpi.loop.device import (
    MAX_ITERATIONS_PER_CALL,
    DeviceCallBudget,
    device_call_budget,
    metrics_per_iteration,
    run_iterations,
)
from logpi.loop.iteration import Carry, Info, init_carry
from logpi.loop.protocol import CallBudget


class StackedHyperparameters:
    """The numbers in which M algorithms differ, stacked: what the members of one program do not share.

    Schedules count as numbers: each number is stored as its values at the run's start and end.

    - `values`: one array [M, 2] for each leaf of the algorithms that differs between them.
    """

    def __init__(self, algorithms: Sequence[Algorithm]):
        """Raise LogpiError where the algorithms differ in more than numbers: that would be another program."""
        leaves, structures = zip(*(jax.tree.flatten(a, is_leaf=_is_schedule) for a in algorithms), strict=True)
        if any(structure != structures[0] for structure in structures):
            raise LogpiError(
                "the algorithms differ in the program's shape; allowed: to differ in rates, weights and discounts"
            )
        columns = list(zip(*leaves, strict=True))  # one column of M values for each leaf
        self._structure, self._shared = structures[0], list(leaves[0])
        self._differing = [i for i, column in enumerate(columns) if not all(_same(x, column[0]) for x in column)]
        # A leaf that is a schedule in any algorithm becomes one in all: a constant is a schedule that does not change.
        self._scheduled = [any(_is_schedule(x) for x in columns[i]) for i in self._differing]
        self.values: list[Float[Array, "M 2"]] = [
            jnp.asarray([_endpoints(x) for x in columns[i]], float) for i in self._differing
        ]

    def algorithm(self, row: Sequence[Float[Array, "2"]]) -> Algorithm:
        """Return the algorithm with one member's row of `values`, which may be traced."""
        leaves = list(self._shared)
        for i, ends, scheduled in zip(self._differing, row, self._scheduled, strict=True):
            leaves[i] = LinearSchedule(ends[0], ends[1]) if scheduled else ends[0]
        return jax.tree.unflatten(self._structure, leaves)


def _is_schedule(leaf: object) -> bool:
    return isinstance(leaf, LinearSchedule)


def _same(a: object, b: object) -> bool:
    """Return whether two leaves have one value: numbers, schedules, or arrays."""
    return a is b or (np.array_equal(np.asarray(a), np.asarray(b)) if eqx.is_array(a) else a == b)


def _endpoints(number: float | Array | LinearSchedule) -> tuple[Any, Any]:
    return (number.start, number.end) if isinstance(number, LinearSchedule) else (number, number)


def init_many(
    algorithms: Sequence[Algorithm], environment: Environment, networks: tuple[PyTree, PyTree], keys: Key[Array, " M"]
) -> Carry:
    """Return the members' first carries, stacked; networks (policy, critic) and keys are stacked, too."""
    stacked = StackedHyperparameters(algorithms)

    def init_one(row: list[Array], policy: PyTree, critic: PyTree, key: Array) -> Carry:
        return init_carry(stacked.algorithm(row), environment, policy, critic, key)

    init_all = lambda *given: (eqx.filter_vmap(init_one)(*given), ())
    return aot_compile(init_all, stacked.values, *networks, keys)(stacked.values, *networks, keys)[0]


class VectorizedLoop:
    """Training loop of M members in one compiled program; a member whose budget allows no iteration rests.

    Members are spread over the devices and exchange nothing: what is not finite in one stays there.
    """

    def __init__(
        self,
        algorithms: Sequence[Algorithm],
        environment: Environment,
        carry: Carry,
        capacity: int = MAX_ITERATIONS_PER_CALL,
    ):
        """Compile the program for M algorithms and stacked carries like this one."""
        stacked = StackedHyperparameters(algorithms)
        self._members, self._capacity, self._sharding = len(algorithms), capacity, _member_sharding(len(algorithms))
        self._spec = environment.spec
        arrays, static = eqx.partition(carry, eqx.is_array)
        self._static = static

        def run_member(arrays: PyTree, row: list[Array], limits: DeviceCallBudget) -> tuple[PyTree, PyTree]:
            member, outputs = run_iterations(
                stacked.algorithm(row), environment, eqx.combine(arrays, static), limits, capacity
            )
            return eqx.filter(member, eqx.is_array), outputs

        mesh, axis = self._sharding.mesh, self._sharding.spec
        run_all = jax.shard_map(map_members(run_member), mesh=mesh, in_specs=axis, out_specs=axis, check_vma=False)
        self._values = jax.device_put(stacked.values, self._sharding)
        example = self._device_budgets([CallBudget(0, 1, 1, 1)] * self._members)
        arrays = jax.device_put(arrays, self._sharding)
        self._program = finish_compile(*lower(run_all, arrays, self._values, example, donate=True))

    def run(self, carry: Carry, budgets: Sequence[CallBudget]) -> tuple[Carry, list[list[Info]]]:
        """Run one call, with a budget for each member: (carry, for each member the metrics of its iterations)."""
        started = time.perf_counter()
        arrays = jax.device_put(eqx.filter(carry, eqx.is_array), self._sharding)
        arrays, outputs = self._program(arrays, self._values, self._device_budgets(budgets))
        counts, metrics = jax.device_get(outputs)
        seconds = time.perf_counter() - started
        member = lambda i: jax.tree.map(lambda x: x[i], metrics)
        rows = [metrics_per_iteration(int(counts[i]), member(i), seconds, self._spec) for i in range(self._members)]
        return eqx.combine(arrays, self._static), rows

    def _device_budgets(self, budgets: Sequence[CallBudget]) -> DeviceCallBudget:
        """Convert the members' budgets for their devices, stacked."""
        rows = [device_call_budget(budget, self._capacity) for budget in budgets]
        return jax.device_put(jax.tree.map(lambda *x: np.stack(x), *rows), self._sharding)


def map_members(run_member: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """Map a function over a device's members: by `vmap`; on a CPU one after the other.

    On a CPU, `vmap` gains nothing for small matrix products, and loops that end at different times cost: 32 learners
    took 34 times as long as one, and 30 times one after the other (measured, PPO, 8 × 256, in seconds of a core).
    """
    in_turn = lambda *x: lax.map(lambda y: run_member(*y), x)
    return in_turn if jax.default_backend() == "cpu" else jax.vmap(run_member)


def idle_member_devices_message(members: int) -> str | None:
    """Return one line that says how many devices M members leave idle; None if all devices are used."""
    devices, used = len(jax.devices()), _member_sharding(members).num_devices
    if used == devices:
        return None
    return f"{devices} devices, {members} runs: {used} used; choose a number of runs divisible by {devices}"


def _member_sharding(members: int) -> NamedSharding:
    """Return the sharding of the members' axis over the most devices that divide it."""
    devices = jax.devices()
    number = max(n for n in range(1, len(devices) + 1) if members % n == 0)
    return NamedSharding(Mesh(np.asarray(devices[:number]), ("members",)), PartitionSpec("members"))
