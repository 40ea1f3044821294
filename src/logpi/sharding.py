"""One run over several devices: the environments' axis is spread, all else is on each of them.

The only place that knows of devices. What a program does with arrays that are spread, the compiler works out: each
device steps its own environments, and sums over all of them are taken together.
"""

from typing import Any

import equinox as eqx
import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from logpi.iterate import Carry

AXIS = "environments"


def spread(carry: Carry, num_envs: int) -> Carry:
    """The carry over all devices, where there are several and the environments can be shared out evenly."""
    devices = jax.devices()
    if len(devices) == 1 or num_envs % len(devices):
        return carry
    mesh = Mesh(devices, (AXIS,))
    everywhere, by_environment = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (AXIS,)))
    shared = lambda x: by_environment if x.ndim and x.shape[0] % num_envs == 0 else everywhere
    put = lambda tree, place: jax.tree.map(lambda x: jax.device_put(x, place(x)) if eqx.is_array(x) else x, tree)
    stands = put((carry.environment, carry.running), shared)
    rest = put((carry.state, carry.key, carry.iteration), lambda x: everywhere)
    return Carry(rest[0], rest[1], stands[0], stands[1], rest[2])


def gathered(tree: PyTree) -> PyTree:
    """The tree on one device, for programs that know of no other."""
    one = jax.devices()[0]
    return jax.tree.map(lambda x: jax.device_put(x, one) if _several(x) else x, tree)


def placed(arrays: PyTree) -> Any:
    """Where the arrays are, if they are on several devices, for a program that shall leave its results there."""
    leaves = jax.tree.leaves(arrays)
    return jax.tree.map(lambda x: x.sharding, arrays) if any(map(_several, leaves)) else None


def _several(x: Any) -> bool:
    return isinstance(x, jax.Array) and len(x.sharding.device_set) > 1
