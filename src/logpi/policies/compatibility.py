"""The check that a policy fits an environment's spaces, made before anything is compiled or played."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import PyTree

from logpi.core.numpy_trees import tree_map
from logpi.errors import LogpiError, reason_of
from logpi.policies.memory import is_recurrent, require_same_memory
from logpi.policies.policy import Policy
from logpi.policies.recurrent import Recurrent
from logpi.spaces.actions import unscaled
from logpi.spaces.layout import SpaceLayouts, describe_space
from logpi.spaces.tree import empty


def require_spaces(policy: PyTree, observation_space: spaces.Space, action_space: spaces.Space, name: str) -> None:
    """Raise LogpiError unless a policy takes the observations of an environment and gives its actions.

    Built-in policies know the layouts of the spaces that they were made for: a one-hot code of 16 states would take
    any other number of states without an error. Of a policy of the user's one call is traced, without computing
    anything: it must take an observation, and its actions must have the shapes of the environment's.

    - `name`: of the environment, for the message.
    """
    is_policy = lambda node: isinstance(node, Policy | Recurrent)
    parts = [node for node in jax.tree.leaves(policy, is_leaf=is_policy) if is_policy(node)]
    layouts = [part.spaces.layouts for part in parts if part.spaces is not None]
    if layouts:
        layouts[0].require(SpaceLayouts.of(observation_space, action_space), name, "the policy")
        return
    obs = tree_map(lambda x: jnp.asarray(x[0]), empty(observation_space, 1)())
    try:
        action = eqx.filter_eval_shape(_act, policy, obs)
    except LogpiError:
        raise
    except Exception as error:
        reason = reason_of(error)
        raise LogpiError(
            f"{name} does not fit the policy, which cannot take an observation of {describe_space(observation_space)}:"
            f" {type(error).__name__}: {reason}"
        ) from error
    shapes = lambda tree: jax.tree.map(lambda x: x.shape, tree, is_leaf=lambda x: hasattr(x, "shape"))
    expected, given = shapes(tree_map(lambda x: x[0], empty(action_space, 1)())), shapes(action)
    if expected != given:
        raise LogpiError(
            f"{name} does not fit the policy: its actions have shape {expected}, those of the policy {given}"
        )


def require_critic(
    critic: PyTree, kind: str | None, observation_space: spaces.Space, action_space: spaces.Space, name: str
) -> None:
    """Raise LogpiError unless a critic gives one number for an observation of an environment, or with an action.

    - `kind`: "state" for V(s), "action" for Q(s, a), None where there is no critic.
    - `name`: of the environment, for the message.
    """
    if critic is None or kind is None:
        return
    first = lambda space: tree_map(lambda x: jnp.asarray(x[0]), empty(space, 1)())
    given = [first(observation_space), *([first(unscaled(action_space))] if kind == "action" else [])]
    call = "critic(obs, action)" if kind == "action" else "critic(obs)"
    if is_recurrent(critic):
        require_same_memory(critic, given[0], "the critic")
        given.append(critic.initial())
    answered = lambda critic, *given: critic(*given)[0] if is_recurrent(critic) else critic(*given)
    try:
        answer = eqx.filter_eval_shape(answered, critic, *given)
    except Exception as error:
        reason = reason_of(error)
        raise LogpiError(
            f"{name} does not fit the critic: {call} raises {type(error).__name__} for an observation of"
            f" {describe_space(observation_space)}: {reason}"
        ) from error
    if getattr(answer, "shape", None) != () or not jnp.issubdtype(answer.dtype, jnp.floating):
        form = f"{answer.dtype}{list(answer.shape)}" if hasattr(answer, "dtype") else type(answer).__name__
        raise LogpiError(f"the critic does not fit the algorithm: {call} gives {form}; allowed: one number, float32[]")


def _act(policy: PyTree, obs: PyTree) -> PyTree:
    """Sample an action; a `Point` has no other way to give one."""
    if is_recurrent(policy):
        require_same_memory(policy, obs, "the policy")
        pi = policy(obs, policy.initial())[0]
    else:
        pi = policy(obs)
    return pi.push(pi.noise(jr.key(0)))
