"""Actors on the host: policies lowered to NumPy, or jitted calls where NumPy has no counterpart."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, PyTree

from logpi.core.compilation import compiler_options
from logpi.core.numpy_trees import tree_leaves
from logpi.numpy_policy.blocks import block_size, resize_rows
from logpi.numpy_policy.lower import lower
from logpi.numpy_policy.primitives import UnknownPrimitive
from logpi.numpy_policy.program import Act, Program, bind_program
from logpi.policies.behavior import Behavior
from logpi.types import trainable

FASTER_COMPILED = {"conv_general_dilated"}  # primitives for which a jitted call is faster than NumPy would be


@dataclass(frozen=True)
class Actor:
    """Actor of policies with the structure and shapes of one example.

    - `bind`: arrays of μ, see `behavior_arrays`, ↦ the function (obs[B], noise leaves [B, ...]) ↦ (action, env_action).
    - `block`: B, the number of environments evaluated in one call.
    - `program`: the policy in NumPy; None if it acts by a jitted call.
    """

    bind: Callable[[list[Any]], Act]
    block: int
    program: Program | None


def make_actor(mu: Behavior, obs: PyTree, noise: PyTree) -> Actor:
    """Make an actor of policies like μ; the policy is traced once, here.

    - `obs`, `noise`: examples [N, ...], of which only shapes and dtypes matter; observations are dicts, tuples and
      arrays.

    A population has one block of all N environments, because each of its members acts in one of them.
    """
    n = len(tree_leaves(obs)[0])
    block = n if mu.per_environment else block_size(n)
    try:
        program = lower_policy(
            mu, resize_rows(obs, block), jax.tree.map(lambda x: np.resize(x, (block, *x.shape[1:])), noise)
        )
    except UnknownPrimitive as unknown:
        if str(unknown) not in FASTER_COMPILED:
            warnings.warn(
                f"the policy uses {unknown}, which logpi does not run in NumPy: it acts by a slower jitted call",
                stacklevel=2,
            )
        jitted = jax.jit(_acting_function(mu, obs, noise), compiler_options=compiler_options())

        def bind(weights: list[Any]) -> Act:
            return lambda obs, noise: jax.device_get(jitted(*weights, *tree_leaves(obs), *noise))

        return Actor(bind, n, None)
    return Actor(lambda weights: bind_program(program, weights), block, program)


def lower_policy(mu: Behavior, obs: PyTree, noise: PyTree) -> Program:
    """Lower policies like μ to a program, plain data that acts without JAX: `bind_program(program, arrays of μ)`.

    Raises UnknownPrimitive for an operation that has no counterpart in NumPy here.
    """
    return lower(
        _acting_function(mu, obs, noise), behavior_arrays(mu), [*jax.tree.leaves(obs), *jax.tree.leaves(noise)]
    )


def behavior_arrays(mu: Behavior) -> list[Any]:
    """Return the arrays of μ, in the order in which actors take them."""
    return [x for x in jax.tree.leaves(mu) if eqx.is_array(x)]


def learned_mask(mu: Behavior) -> list[bool]:
    """Mark the arrays of μ that are learned."""
    theta = {id(x) for x in jax.tree.leaves(trainable(mu.policy)[0])}
    return [id(x) in theta for x in behavior_arrays(mu)]


def _acting_function(mu: Behavior, obs: PyTree, noise: PyTree) -> Callable[..., tuple[Any, Any]]:
    """Return the function of the leaves of μ, obs and noise that computes (action, env_action)."""
    arrays, static = eqx.partition(mu, eqx.is_array)
    treedef = jax.tree.structure(arrays)
    obs_treedef, noise_treedef = jax.tree.structure(obs), jax.tree.structure(noise)
    end_of_mu = treedef.num_leaves
    end_of_obs = end_of_mu + obs_treedef.num_leaves

    def act(*flat: Array) -> tuple[Any, Any]:
        mu = eqx.combine(treedef.unflatten(flat[:end_of_mu]), static)
        pi = mu(obs_treedef.unflatten(flat[end_of_mu:end_of_obs]))
        action = pi.push(noise_treedef.unflatten(flat[end_of_obs:]))
        return action, pi.to_env(action)

    return act
