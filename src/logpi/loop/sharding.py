"""One run over several devices: the environments' axis is spread, all else is on each of them.

The only place that knows of devices. What a program does with arrays that are spread, the compiler works out: each
device steps its own environments, and sums over all of them are taken together.

Two CPU devices do better where π and V are learned by updates of their own: each makes the same rollout, and then
learns one of them. Sums over CPU devices cost more than the work they share out, and this takes one an epoch.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from logpi.core.parallel import LEARNERS
from logpi.loop.iteration import Carry

AXIS = "environments"


def shard(carry: Carry, num_envs: int, algorithm: Any) -> Carry:
    """The carry over all devices, where there are several and the environments can be shared out evenly.

    Whole on each of two that are to learn π and V.
    """
    devices = jax.devices()
    if splits_actor_critic(algorithm):
        whole = NamedSharding(Mesh(devices, (LEARNERS,)), PartitionSpec())
        return _put(carry, lambda x: whole)
    if len(devices) == 1 or num_envs % len(devices):
        return carry
    mesh = Mesh(devices, (AXIS,))
    everywhere, by_environment = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (AXIS,)))
    shared = lambda x: by_environment if x.ndim and x.shape[0] % num_envs == 0 else everywhere
    stands = _put((carry.env_state, carry.partial_returns), shared)
    rest = _put((carry.state, carry.key, carry.iteration), lambda x: everywhere)
    return Carry(rest[0], rest[1], stands[0], stands[1], rest[2])


def shard_map_learners(
    function: Callable[[Carry, Any], tuple[Carry, Any]], carry: Carry
) -> Callable[[Carry, Any], Any]:
    """The function (carry, …) ↦ (carry, …), made on both devices where the carry is on two learners; else as it is."""
    mesh = next((x.sharding.mesh for x in jax.tree.leaves(eqx.filter(carry, is_sharded))), None)
    if mesh is None or mesh.axis_names != (LEARNERS,):
        return function
    static = eqx.filter(carry, eqx.is_array, inverse=True)

    def each(arrays: PyTree, given: Any) -> tuple[PyTree, Any]:
        new, out = function(eqx.combine(arrays, static), given)
        return eqx.filter(new, eqx.is_array), out

    def both(carry: Carry, given: Any) -> tuple[Carry, Any]:
        arrays, out = on_both(eqx.filter(carry, eqx.is_array), given)
        return eqx.combine(arrays, static), out

    everywhere = PartitionSpec()
    on_both = jax.shard_map(each, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=False)
    return both


def splits_actor_critic(algorithm: Any) -> bool:
    """Whether one device is to learn π, and another V."""
    alone = getattr(algorithm, "fit", None) in (None, "joint")
    return not alone and jax.default_backend() == "cpu" and len(jax.devices()) == 2


def _put(tree: PyTree, place: Callable[[jax.Array], NamedSharding]) -> PyTree:
    return jax.tree.map(lambda x: jax.device_put(x, place(x)) if eqx.is_array(x) else x, tree)


def to_one_device(tree: PyTree) -> PyTree:
    """The tree on one device, for programs that know of no other."""
    one = jax.devices()[0]
    return jax.tree.map(lambda x: jax.device_put(x, one) if is_sharded(x) else x, tree)


def shardings_of(arrays: PyTree) -> Any:
    """Where the arrays are, if they are on several devices, for a program that shall leave its results there."""
    leaves = jax.tree.leaves(arrays)
    return jax.tree.map(lambda x: x.sharding, arrays) if any(map(is_sharded, leaves)) else None


def is_sharded(x: Any) -> bool:
    return isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
