"""Policies restricted to the legal actions by a mask in the observation."""

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from logpi.errors import LogpiError
from logpi.policies.encoder import space_path
from logpi.policies.predictor import Predictor, predictor_of, require_one_observation

KEY = "action_mask"
PATH = (KEY,)
Inner = TypeVar("Inner")


class ActionMasked(eqx.Module):
    """π(·|obs) over the legal actions alone: those whose entry of obs["action_mask"] is not 0.

    z_a ↦ −∞ where a is illegal. The mask of a MultiDiscrete space is its dimensions' masks one after the other, and
    `sizes` are their lengths. Of a dimension in which nothing at all is legal the mask is ignored: there is no
    distribution over nothing, and such masks stand where nobody acts, in the padding after an episode's end.

    Source: Huang and Ontañón 2022.
    """

    policy: Any
    sizes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, obs: PyTree) -> Any:
        """π(·|obs) for one raw observation."""
        require_one_observation(self.policy.spaces, obs)
        logits = self.policy.network(self.policy.encode(obs))
        return self.policy.head(jnp.where(valid_mask(obs[KEY], self.sizes), logits, -jnp.inf))

    @property
    def predict(self) -> Predictor:
        """The function from raw observations to legal actions that the environment takes; see `Policy.predict`."""
        return predictor_of(self, self.policy.spaces)


class MaskedActionDistribution(eqx.Module):
    """Answer of a policy that remembers over the legal actions alone, in the manner of `ActionMasked`."""

    head: Callable[[Float[Array, " K"]], Any]
    sizes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, logits: Float[Array, " K"], obs: PyTree) -> Any:
        """Return π(·|history) over the actions that are legal in this observation."""
        return self.head(jnp.where(valid_mask(obs[KEY], self.sizes), logits, -jnp.inf))


def valid_mask(mask: Shaped[Array, " K"], sizes: tuple[int, ...]) -> Bool[Array, " K"]:
    """Compute the legal entries: nonzero ones, or all entries of a dimension whose mask is 0 everywhere."""
    ends = itertools.accumulate(sizes)
    parts = [mask[end - n : end].astype(bool) for n, end in zip(sizes, ends, strict=True)]
    return jnp.concatenate([part | ~jnp.any(part) for part in parts])


def masked(policy: Inner, observation_space: spaces.Space, action_space: spaces.Space) -> Inner | ActionMasked:
    """Wrap the policy in `ActionMasked` where the observations hold an action mask; else return it unchanged.

    Raises LogpiError for a mask that does not fit the action space.
    """
    sizes = mask_sizes(observation_space, action_space)
    return policy if sizes is None else ActionMasked(policy, sizes)


def mask_sizes(observation_space: spaces.Space, action_space: spaces.Space) -> tuple[int, ...] | None:
    """Return the lengths of the masks of an action's dimensions; None where the observations hold no action mask.

    Raises LogpiError for a mask that does not fit the action space.
    """
    if not (isinstance(observation_space, spaces.Dict) and KEY in observation_space.spaces):
        return None
    sizes = _sizes(action_space)
    shape = observation_space[KEY].shape
    if sizes is None or shape != (sum(sizes),):
        fits = f"its shape to be ({sum(sizes)},)" if sizes else "a Discrete or MultiDiscrete action space"
        given = f"{space_path('observation', PATH)} is {observation_space[KEY]} and the action space {action_space}"
        raise LogpiError(f"{given}; a mask needs {fits}")
    return sizes


def _sizes(space: spaces.Space) -> tuple[int, ...] | None:
    match space:
        case spaces.Discrete():
            return (int(space.n),)
        case spaces.MultiDiscrete():
            return tuple(space.nvec.ravel().tolist())
    return None
