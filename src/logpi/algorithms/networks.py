"""The networks a preset comes with."""

import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.random as jr
from jaxtyping import Array, Key, PyTree

from logpi.environments.protocol import Spec
from logpi.policies.action_critic import mlp_action_critic
from logpi.policies.critic import mlp_critic
from logpi.policies.policy import mlp_policy


def networks(
    spec: Spec, settings: Mapping[str, Any], key: Key[Array, ""], of_actions: bool = False
) -> tuple[PyTree, PyTree]:
    """A policy and a critic for an environment, Q(s, a) if `of_actions`, initialised in one compiled call."""
    hidden, normalise = settings["hidden"], settings["normalise_observations"]
    critics = functools.partial(mlp_action_critic, action_space=spec.action_space) if of_actions else mlp_critic

    @eqx.filter_jit
    def make(key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        k_policy, k_critic = jr.split(key)
        policy = mlp_policy(
            spec.observation_space,
            spec.action_space,
            hidden=hidden,
            normalise=normalise,
            initial_std=settings["initial_std"],
            key=k_policy,
        )
        returns = settings["normalise_returns"]
        critic = critics(
            spec.observation_space,
            hidden=hidden,
            normalise=normalise,
            normalise_returns=returns,
            key=k_critic,
        )
        return policy, critic

    return make(key)
