"""How a policy acts on the host: lowered to NumPy where it can be, by a jitted call where it cannot."""

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

from logpi.nested import leaves
from logpi.policies.behaviour import Behaviour
from logpi.rollout.actor import Program
from logpi.rollout.numpy_ops import UnknownPrimitive

Act = Callable[[Any, Any], tuple[Any, Any]]
COMPILED = {"conv_general_dilated"}  # so much work that a jitted call is the faster way anyhow


def actor(mu: Behaviour, obs: PyTree, noise: PyTree) -> Callable[[Behaviour], Act]:
    """From a μ like this one to a function (obs[N], noise[N]) ↦ (action[N], what the environment is handed).

    `obs` and `noise` are examples: only shapes and dtypes matter. The policy is traced here, once. Observations are
    dicts, tuples and arrays; of the noise only the leaves are asked for.
    """
    weights, bound = _flat(mu)
    seen, structure = jax.tree.flatten(obs)
    drawn, draws = jax.tree.flatten(noise)
    cut = len(weights)

    def act(*flat: Any) -> tuple[Any, Any]:
        late = iter(flat[cut:])
        pi = bound(flat[:cut])(structure.unflatten([next(late) for _ in seen]))
        action = pi.push(draws.unflatten(late))
        return action, pi.to_env(action)

    answer = jax.tree.structure(jax.eval_shape(act, *weights, *seen, *drawn))
    late = lambda obs, noise: [*leaves(obs), *jax.tree.leaves(noise)]
    try:
        program = Program(lambda *flat: jax.tree.leaves(act(*flat)), weights, [*seen, *drawn])
    except UnknownPrimitive as unknown:
        if str(unknown) not in COMPILED:
            warnings.warn(
                f"the policy uses {unknown}, which logpi does not run in NumPy: it acts by a slower jitted call",
                stacklevel=2,
            )
        jitted = jax.jit(act)
        return lambda mu: lambda obs, noise: jax.device_get(jitted(*_flat(mu)[0], *late(obs, noise)))

    def bind(mu: Behaviour) -> Act:
        call = program.bind(jax.device_get(_flat(mu)[0]))
        return lambda obs, noise: answer.unflatten(call(*late(obs, noise)))

    return bind


def _flat(mu: Behaviour) -> tuple[list[Any], Callable[[Any], Behaviour]]:
    """The arrays of μ, and the function that puts others in their places."""
    arrays, static = eqx.partition(mu, eqx.is_array)
    flat, treedef = jax.tree.flatten(arrays)
    return flat, lambda weights: eqx.combine(treedef.unflatten(weights), static)
