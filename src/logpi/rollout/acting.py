"""How a policy acts on the host: lowered to NumPy where it can be, by a jitted call where it cannot."""

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

from logpi.policies.behaviour import Behaviour
from logpi.rollout.actor import Program
from logpi.rollout.numpy_ops import UnknownPrimitive

Act = Callable[[Any, Any], tuple[Any, Any]]


def actor(mu: Behaviour, obs: PyTree, noise: PyTree) -> Callable[[Behaviour], Act]:
    """From a μ like this one to a function (obs[N], noise[N]) ↦ (action[N], what the environment is handed).

    `obs` and `noise` are examples: only shapes and dtypes matter. The policy is traced here, once.
    """
    arrays, static = eqx.partition(mu, eqx.is_array)
    leaves, treedef = jax.tree.flatten(arrays)
    weights = lambda mu: jax.tree.leaves(eqx.filter(mu, eqx.is_array))

    def act(*flat: Any) -> tuple[Any, Any]:
        pi = eqx.combine(jax.tree.unflatten(treedef, flat[:-2]), static)(flat[-2])
        action = pi.push(flat[-1])
        return action, pi.to_env(action)

    try:
        program = Program(act, leaves, [obs, noise])
    except UnknownPrimitive as unknown:
        warnings.warn(
            f"the policy uses {unknown}, which logpi does not run in NumPy: it acts by a slower jitted call",
            stacklevel=2,
        )
        jitted = jax.jit(act)
        return lambda mu: lambda obs, noise: jax.device_get(jitted(*weights(mu), obs, noise))
    return lambda mu: program.bind(jax.device_get(weights(mu)))  # type: ignore[return-value]
