"""Placement of one run on several devices: the environment axis is sharded, all else is replicated.

The only module that knows of devices. XLA partitions the programs that use sharded arrays: each device steps its own
environments, and sums over all of them are computed together.

Two CPU devices do better where π and V are learned by updates of their own: each makes the same rollout, and then
learns one of them. Sums over CPU devices cost more than the work they share out, and this takes one an epoch.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.parallel import LEARNERS
from logpi.loop.iteration import Carry

AXIS = "environments"


def shard(carry: Carry, num_envs: int, algorithm: Algorithm) -> Carry:
    """Shard the carry's environments over all devices, where there are several and they divide `num_envs`.

    On two devices that are to learn π and V, the whole carry is replicated instead.
    """
    devices = jax.devices()
    if splits_actor_critic(algorithm):
        replicated = NamedSharding(Mesh(devices, (LEARNERS,)), PartitionSpec())
        return _put(carry, lambda x: replicated)
    if len(devices) == 1 or num_envs % len(devices):
        return carry
    mesh = Mesh(devices, (AXIS,))
    replicated, by_environment = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (AXIS,)))
    replicate = lambda tree: _put(tree, lambda x: replicated)
    split = lambda tree: _put(tree, lambda x: by_environment if x.ndim and x.shape[0] % num_envs == 0 else replicated)
    return Carry(
        state=replicate(carry.state),
        key=replicate(carry.key),
        env_state=split(carry.env_state),
        partial_returns=split(carry.partial_returns),
        iteration=replicate(carry.iteration),
        memory=split(carry.memory),
    )


def idle_devices_message(num_envs: int, algorithm: Algorithm, on_device: bool = True) -> str | None:
    """Return one line that says which devices a run leaves idle and which option changes it; None if all are used.

    - `on_device`: False for host environments, whose runs learn on one device.
    """
    devices = len(jax.devices())
    if devices == 1 or (on_device and (splits_actor_critic(algorithm) or num_envs % devices == 0)):
        return None
    if not on_device:
        return f"{devices} devices: one is used; a run on host environments learns on one device"
    return f"{devices} devices, num_envs {num_envs}: one device is used; choose a num_envs divisible by {devices}"


def shard_map_learners(
    function: Callable[[Carry, Any], tuple[Carry, Any]], carry: Carry
) -> Callable[[Carry, Any], tuple[Carry, Any]]:
    """Map (carry, x) ↦ (carry, y) over the two learners' devices, if the carry is on them; else return it unchanged."""
    mesh = next((x.sharding.mesh for x in jax.tree.leaves(eqx.filter(carry, is_sharded))), None)
    if mesh is None or mesh.axis_names != (LEARNERS,):
        return function
    static = eqx.filter(carry, eqx.is_array, inverse=True)

    def on_each(arrays: PyTree, given: PyTree) -> tuple[PyTree, Any]:
        new, out = function(eqx.combine(arrays, static), given)
        return eqx.filter(new, eqx.is_array), out

    def on_both(carry: Carry, given: PyTree) -> tuple[Carry, Any]:
        arrays, out = mapped(eqx.filter(carry, eqx.is_array), given)
        return eqx.combine(arrays, static), out

    replicated = PartitionSpec()
    mapped = jax.shard_map(on_each, mesh=mesh, in_specs=replicated, out_specs=replicated, check_vma=False)
    return on_both


def splits_actor_critic(algorithm: Algorithm) -> bool:
    """Return True if one of two CPU devices learns π and the other V, by updates of their own."""
    return algorithm.learns_separately and jax.default_backend() == "cpu" and len(jax.devices()) == 2


def _put(tree: PyTree, placement: Callable[[jax.Array], NamedSharding]) -> PyTree:
    return jax.tree.map(lambda x: jax.device_put(x, placement(x)) if eqx.is_array(x) else x, tree)


def to_one_device(tree: PyTree) -> PyTree:
    """Gather sharded or replicated arrays on the first device, for programs compiled for one device."""
    device = jax.devices()[0]
    return jax.tree.map(lambda x: jax.device_put(x, device) if is_sharded(x) else x, tree)


def shardings_of(arrays: PyTree) -> PyTree | None:
    """Return the arrays' shardings if any is on several devices, so that a program leaves its results there."""
    leaves = jax.tree.leaves(arrays)
    return jax.tree.map(lambda x: x.sharding, arrays) if any(map(is_sharded, leaves)) else None


def is_sharded(x: object) -> bool:
    """Return True for an array on more than one device."""
    return isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
