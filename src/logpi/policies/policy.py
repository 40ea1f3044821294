"""The built-in policy: an encoder, a network and a head."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
from gymnasium import spaces
from jaxtyping import Array, Float, Key, PyTree

from logpi.distributions.protocol import Distribution
from logpi.errors import LogpiError
from logpi.policies.action_masking import PATH, masked
from logpi.policies.encoder import encoder
from logpi.policies.head_for_space import head_for_space
from logpi.policies.mlp import MLP
from logpi.policies.normalization import Normalize, initial_moments
from logpi.policies.predictor import Predictor, predictor_of, require_one_observation
from logpi.spaces.pair import SpacePair


class Policy(eqx.Module):
    """Policy π_θ: obs ↦ Distribution, as encoder → network → head. The object *is* θ.

    Any callable PyTree from one raw observation to a distribution can stand in its place.

    - `spaces`: those that it was made for, so that no environment of others is played; None if unknown.
    """

    encode: Callable[[PyTree], Any]
    network: Callable[[Any], Float[Array, " F"]]
    head: Callable[[Float[Array, " F"]], Distribution]
    spaces: SpacePair | None = eqx.field(static=True, default=None)

    def __call__(self, obs: PyTree) -> Any:
        """Compute π(·|obs) of one raw observation. Raises LogpiError for one of another form than its space."""
        require_one_observation(self.spaces, obs)
        return self.head(self.network(self.encode(obs)))

    @property
    def predict(self) -> Predictor:
        """The function from raw observations to actions that the environment takes: `action = policy.predict(obs)`.

        In the environment's own units and dtypes, within its bounds; the mode, or a sample; for one observation or a
        batch: see `Predictor`. It runs on the host, compiled at the first call; inside `jax.jit`, call `policy(obs)`.
        """
        return predictor_of(self, self.spaces)


def encoding(space: spaces.Space, normalize: bool) -> tuple[Any, int]:
    """Make the encoder from raw observations to the network's input, and return its length; an action mask is left out.

    Raises LogpiError for a space that logpi has no encoder for, naming its path, and for one that holds no number.
    """
    encode = encoder(space, leave_out=lambda path: path == PATH)
    if not encode.size:
        raise LogpiError(f"observation space {space} has nothing that a network could see; allowed: one number or more")
    return (Normalize(encode, initial_moments((encode.size,))) if normalize else encode), encode.size


def mlp_policy(
    observation_space: spaces.Space,
    action_space: spaces.Space,
    *,
    hidden: Sequence[int] = (64, 64),
    normalize: bool = False,
    std: str = "learned",
    squash: bool = False,
    initial_std: float = 1.0,
    key: Key[Array, ""],
) -> Any:
    """Make a policy with a tanh MLP for the given spaces.

    - `hidden`: sizes of the hidden layers, default (64, 64).
    - `normalize`: keep running statistics of observations and normalize by them.
    - `std`, `squash`, `initial_std`: the head of a Box; see `head_for_space`.

        >>> import jax, jax.numpy as jnp
        >>> from gymnasium import spaces
        >>> policy = mlp_policy(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), key=jax.random.key(0))
        >>> policy(jnp.zeros(3)).logits.shape
        (2,)
    """
    encode, size = encoding(observation_space, normalize)
    read, outputs = head_for_space(action_space, std, squash, initial_std)
    policy = Policy(
        encode, MLP((size, *hidden, outputs), 0.01, key=key), read, SpacePair(observation_space, action_space)
    )
    return masked(policy, observation_space, action_space)
