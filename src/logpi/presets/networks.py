"""The default networks of presets."""

import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.random as jr
from jaxtyping import Array, Key, PyTree

from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.policies.action_critic import mlp_action_critic
from logpi.policies.cnn import cnn_critic, cnn_policy
from logpi.policies.cores.factory import core_factory
from logpi.policies.critic import mlp_critic
from logpi.policies.images import image_leaves
from logpi.policies.policy import mlp_policy
from logpi.policies.recurrent import recurrent_critic, recurrent_policy

HEAD = ("std", "squash", "initial_std")


def networks(
    spec: Spec, settings: Mapping[str, Any], key: Key[Array, ""], of_actions: bool = False
) -> tuple[PyTree, PyTree]:
    """Initialize a policy and a critic for an environment in one compiled call: MLPs, or CNNs for images.

    - `settings`: values of a recipe's options; with a `memory`, both networks remember, each with a core of its own.
    - `of_actions`: make a critic Q(s, a) instead of V(s).

    Raises LogpiError for a critic of actions with memory.
    """
    seen, actions = spec.observation_space, spec.action_space
    both: dict[str, Any] = {"hidden": settings["hidden"], "normalize": settings["normalize_observations"]}
    if settings["memory"] is not None:
        if of_actions:
            raise LogpiError(f"memory is {settings['memory']} and this method's critic answers Q(s, a); allowed: none")
        policy_of, critic_of = recurrent_policy, recurrent_critic
        both["core"] = core_factory(settings["memory"], settings["memory_size"], settings["context"])
    else:
        policy_of, critic_of = (cnn_policy, cnn_critic) if image_leaves(seen) else (mlp_policy, mlp_critic)
        critic_of = functools.partial(mlp_action_critic, action_space=actions) if of_actions else critic_of
    options = {name: settings[name] for name in HEAD}

    @eqx.filter_jit
    def make(key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        k_policy, k_critic = jr.split(key)
        policy = policy_of(seen, actions, **both, **options, key=k_policy)
        return policy, critic_of(seen, **both, normalize_returns=settings["normalize_returns"], key=k_critic)

    return make(key)
