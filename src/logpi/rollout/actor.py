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

    - `bind`: arrays of μ, see `behavior_arrays`, ↦ the function (seen[B], noise leaves [B, ...]) ↦ (action, env_action,
      …); see `Act`.
    - `block`: B, the number of environments evaluated in one call.
    - `program`: the policy in NumPy; None if it acts by a jitted call.
    """

    bind: Callable[[list[Any]], Act]
    block: int
    program: Program | None


def make_actor(mu: Behavior, obs: PyTree, noise: PyTree) -> Actor:
    """Make an actor of policies like μ; the policy is traced once, here.

    - `obs`, `noise`: examples [N, ...], of which only shapes and dtypes matter; observations are dicts, tuples and
      arrays. Of a μ that remembers, the actor sees (observations, memory).

    A population has one block of all N environments, because each of its members acts in one of them.
    """
    n = len(tree_leaves(obs)[0])
    block = n if mu.per_environment else block_size(n)
    seen = observed(mu, obs)
    try:
        program = lower_policy(
            mu, resize_rows(seen, block), jax.tree.map(lambda x: np.resize(x, (block, *x.shape[1:])), noise)
        )
    except UnknownPrimitive as unknown:
        if str(unknown) not in FASTER_COMPILED:
            warnings.warn(
                f"the policy uses {unknown}, which logpi does not run in NumPy: it acts by a slower jitted call",
                stacklevel=2,
            )
        jitted = jax.jit(_acting_function(mu, seen, noise), compiler_options=compiler_options())

        def bind(weights: list[Any]) -> Act:
            return lambda seen, noise: jax.device_get(jitted(*weights, *tree_leaves(seen), *noise))

        return Actor(bind, n, None)
    return Actor(lambda weights: bind_program(program, weights), block, program)


def observed(mu: Behavior, obs: PyTree) -> PyTree:
    """Return an example of what an actor of μ sees: observations [N, ...]; or (observations, leaves of the memory)."""
    if not mu.is_recurrent:
        return obs
    return obs, tuple(map(np.asarray, jax.tree.leaves(mu.initial(len(tree_leaves(obs)[0])))))


def lower_policy(mu: Behavior, seen: PyTree, noise: PyTree) -> Program:
    """Lower policies like μ to a program, plain data that acts without JAX: `bind_program(program, arrays of μ)`.

    - `seen`, `noise`: examples [B, ...]; `observed` makes the first of them from observations.

    Raises UnknownPrimitive for an operation that has no counterpart in NumPy here.
    """
    return lower(
        _acting_function(mu, seen, noise), behavior_arrays(mu), [*jax.tree.leaves(seen), *jax.tree.leaves(noise)]
    )


def behavior_arrays(mu: Behavior) -> list[Any]:
    """Return the arrays of μ, in the order in which actors take them."""
    return [x for x in jax.tree.leaves(mu) if eqx.is_array(x)]


def learned_mask(mu: Behavior) -> list[bool]:
    """Mark the arrays of μ that are learned."""
    theta = {id(x) for x in jax.tree.leaves(trainable(mu.policy)[0])}
    return [id(x) in theta for x in behavior_arrays(mu)]


def _acting_function(mu: Behavior, seen: PyTree, noise: PyTree) -> Callable[..., tuple[Any, ...]]:
    """Return the function of the leaves of μ, of what is seen, and of noise that computes (action, env_action, …)."""
    arrays, static = eqx.partition(mu, eqx.is_array)
    treedef = jax.tree.structure(arrays)
    seen_treedef, noise_treedef = jax.tree.structure(seen), jax.tree.structure(noise)
    end_of_mu = treedef.num_leaves
    end_of_seen = end_of_mu + seen_treedef.num_leaves

    def act(*flat: Array) -> tuple[Any, ...]:
        mu = eqx.combine(treedef.unflatten(flat[:end_of_mu]), static)
        seen = seen_treedef.unflatten(flat[end_of_mu:end_of_seen])
        noise = noise_treedef.unflatten(flat[end_of_seen:])
        if not mu.is_recurrent:
            pi = mu(seen)
            action = pi.push(noise)
            return action, pi.to_env(action)
        # Where an episode begins, whoever calls puts the initial memory there: it is rarer than a step.
        obs, memory = seen
        structure = jax.tree.structure(jax.eval_shape(lambda: mu.initial(len(memory[0]))))
        pi, after = mu.remember(obs, structure.unflatten(memory))
        action = pi.push(noise)
        return action, pi.to_env(action), tuple(jax.tree.leaves(after))

    return act
