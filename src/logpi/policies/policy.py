"""The built-in policy: an encoder, a network and a head."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from gymnasium import spaces
from jaxtyping import Array, Float, Key, PyTree

from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.protocol import Distribution
from logpi.errors import LogpiError
from logpi.policies.encoder import encoder
from logpi.policies.mlp import MLP
from logpi.policies.normalise import Normalise, nothing_seen


class Discrete(eqx.Module):
    """Reads a network's output as the logits of a categorical distribution."""

    def __call__(self, logits: Float[Array, " K"]) -> Categorical:
        """The distribution over K actions."""
        return Categorical(logits)


class Continuous(eqx.Module):
    """Reads a network's output as the mean of a Gaussian whose log σ is learned and the same in every state.

    Actions are in units of half the box: −1 … 1 is what the environment allows, where it is bounded.
    """

    log_std: Float[Array, " A"]

    def __call__(self, mean: Float[Array, " A"]) -> Gaussian:
        """The distribution over vectors of actions."""
        return Gaussian(mean, self.log_std)


class Policy(eqx.Module):
    """π_θ: obs ↦ Distribution. The object *is* θ.

    Any callable PyTree from one raw observation to a distribution can stand in its place.
    """

    encode: Callable[[PyTree], Float[Array, " D"]]
    network: Callable[[Float[Array, " D"]], Float[Array, " F"]]
    head: Callable[[Float[Array, " F"]], Distribution]

    def __call__(self, obs: PyTree) -> Any:
        """π(·|obs) for one raw observation."""
        return self.head(self.network(self.encode(obs)))


def encoding(space: spaces.Space, normalise: bool) -> tuple[Any, int]:
    """What turns raw observations into the network's input, and the length of that input."""
    encode = encoder(space)
    return (Normalise(encode, nothing_seen((encode.size,))) if normalise else encode), encode.size


def head(space: spaces.Space, initial_std: float = 1.0) -> tuple[Any, int]:
    """The head that fits an action space, and how many numbers it reads.

    Raises LogpiError for a space that logpi has no distribution for, naming it.
    """
    match space:
        case spaces.Discrete():
            return Discrete(), int(space.n)
        case spaces.Box(shape=(size,)):
            return Continuous(jnp.full(size, jnp.log(initial_std), float)), size
    raise LogpiError(f"action space {space} has no distribution; supported: Discrete, Box with one axis")


def mlp_policy(
    observation_space: spaces.Space,
    action_space: spaces.Space,
    *,
    hidden: Sequence[int] = (64, 64),
    normalise: bool = False,
    initial_std: float = 1.0,
    key: Key[Array, ""],
) -> Policy:
    """A policy with a tanh MLP for the given spaces.

    - `hidden`: the hidden layers' sizes.
    - `normalise`: keep running statistics of observations and normalise by them.
    - `initial_std`: the first σ of a Gaussian, in units of half the action box.

        >>> import jax, jax.numpy as jnp
        >>> from gymnasium import spaces
        >>> policy = mlp_policy(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), key=jax.random.key(0))
        >>> policy(jnp.zeros(3)).logits.shape
        (2,)
    """
    encode, size = encoding(observation_space, normalise)
    read, outputs = head(action_space, initial_std)
    return Policy(encode, MLP((size, *hidden, outputs), 0.01, key=key), read)
