"""How a policy acts on the host: lowered to NumPy where it can be, by a jitted call where it cannot."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from logpi.core.compilation import compiler_options
from logpi.core.numpy_trees import tree_leaves
from logpi.numpy_policy.blocks import block_size, resize_rows
from logpi.numpy_policy.lower import lower
from logpi.numpy_policy.primitives import UnknownPrimitive
from logpi.numpy_policy.program import Act, Program, bind_program
from logpi.policies.behavior import Behavior
from logpi.types import trainable

FASTER_COMPILED = {"conv_general_dilated"}  # so much work that a jitted call is the faster way anyhow


@dataclass(frozen=True)
class Actor:
    """How policies like one act: `bind(weights(μ))` is the function (obs[B], noise[B]) ↦ (action[B], what is sent).

    Of the noise it is given the leaves.

    - `block`: B, how many environments it is called for at once.
    - `program`: its lines of NumPy; None where it acts by a jitted call.
    """

    bind: Callable[[list[Any]], Act]
    block: int
    program: Program | None


def make_actor(mu: Behavior, obs: PyTree, noise: PyTree) -> Actor:
    """From a μ like this one, and examples of obs[N] and noise[N], of which only shapes and dtypes matter.

    The policy is traced here, once. Observations are dicts, tuples and arrays. A population, whose members act for an
    environment each, acts for all of them at once.
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
    """The program of a μ like this one: plain data that acts without JAX, by `acting(program, weights(mu))`.

    Raises UnknownPrimitive for a policy that uses an operation which NumPy has no counterpart for here.
    """
    return lower(
        _acting_function(mu, obs, noise), behavior_arrays(mu), [*jax.tree.leaves(obs), *jax.tree.leaves(noise)]
    )


def behavior_arrays(mu: Behavior) -> list[Any]:
    """The arrays of μ, in the order in which whoever acts asks for them."""
    return [x for x in jax.tree.leaves(mu) if eqx.is_array(x)]


def learned_mask(mu: Behavior) -> list[bool]:
    """Which of these arrays are learned."""
    theta = {id(x) for x in jax.tree.leaves(trainable(mu.policy)[0])}
    return [id(x) in theta for x in behavior_arrays(mu)]


def _acting_function(mu: Behavior, obs: PyTree, noise: PyTree) -> Callable[..., tuple[Any, Any]]:
    """The function from the leaves of μ, obs and noise to the action and what the environment is handed."""
    arrays, static = eqx.partition(mu, eqx.is_array)
    treedef = jax.tree.structure(arrays)
    structure, draws = jax.tree.structure(obs), jax.tree.structure(noise)
    own = treedef.num_leaves
    seen = own + structure.num_leaves

    def act(*flat: Any) -> tuple[Any, Any]:
        pi = eqx.combine(treedef.unflatten(flat[:own]), static)(structure.unflatten(flat[own:seen]))
        action = pi.push(draws.unflatten(flat[seen:]))
        return action, pi.to_env(action)

    return act
