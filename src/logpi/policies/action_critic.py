"""Action critics Q(s, a): the expected return after an action in a state."""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax.numpy as jnp
from gymnasium import spaces
from jaxtyping import Array, Float, Key, PyTree

from logpi.errors import LogpiError
from logpi.policies.encoder import OneHot, encoder
from logpi.policies.mlp import MLP
from logpi.policies.normalization import Identity, ReturnScale, initial_moments
from logpi.policies.policy import encoding


class ActionCritic(eqx.Module):
    """Action critic Q_φ: (obs, action) ↦ Q(s, a), in the task's own units of return.

    Any callable PyTree from one raw observation and one action, as the policy samples it, can stand in its place.
    """

    encode: Callable[[PyTree], Float[Array, " D"]]
    encode_action: Callable[[PyTree], Float[Array, " K"]]
    network: Callable[[Float[Array, " I"]], Float[Array, " 1"]]
    scale: ReturnScale | Identity

    def __call__(self, obs: PyTree, action: PyTree) -> Float[Array, ""]:
        """Compute Q(s, a) of one raw observation and action."""
        return self.scale(self.network(jnp.concatenate([self.encode(obs), self.encode_action(action)]))[0])


def mlp_action_critic(
    observation_space: spaces.Space,
    action_space: spaces.Space,
    *,
    hidden: Sequence[int] = (64, 64),
    normalize: bool = False,
    normalize_returns: bool = False,
    key: Key[Array, ""],
) -> ActionCritic:
    """Make an action critic with a tanh MLP that reads the observation and the action side by side.

    - `hidden`: sizes of the hidden layers, default (64, 64).
    - `normalize`: keep running statistics of observations and normalize by them.
    - `normalize_returns`: keep running statistics of returns and learn Q/σ.

        >>> import jax, jax.numpy as jnp
        >>> from gymnasium import spaces
        >>> critic = mlp_action_critic(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), key=jax.random.key(0))
        >>> critic(jnp.zeros(3), jnp.int32(1)).shape
        ()
    """
    encode, size = encoding(observation_space, normalize)
    encode_action = _from_zero(action_space)
    scale = ReturnScale(initial_moments(())) if normalize_returns else Identity()
    network = MLP((size + encode_action.size, *hidden, 1), 1.0, key=key)
    return ActionCritic(encode, encode_action, network, scale)


def _from_zero(space: spaces.Space) -> PyTree:
    """Make the encoder of actions as a policy samples them: integers from 0, whatever the start of the space."""
    match space:
        case spaces.Discrete():
            return OneHot(int(space.n), 0)
        case spaces.Box() | spaces.MultiBinary():
            return encoder(space)
    raise LogpiError(f"action space {space} has no encoder for Q(s, a); supported: Discrete, Box, MultiBinary")
