"""The built-in networks that remember: an encoder, features, a memory core and what is read from it."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Key, PyTree, Shaped

from logpi.policies.action_masking import MaskedActionDistribution, mask_sizes
from logpi.policies.cnn import CNN
from logpi.policies.evaluate import map_rows
from logpi.policies.head_for_space import head_for_space
from logpi.policies.images import image_encoder, image_leaves
from logpi.policies.memory import RecurrentNetwork, require_same_memory, unroll
from logpi.policies.mlp import MLP
from logpi.policies.normalization import Identity, ReturnScale, initial_moments
from logpi.policies.policy import encoding
from logpi.policies.predictor import require_one_observation
from logpi.spaces.pair import SpacePair

CoreFactory = Callable[[int, Key[Array, ""]], RecurrentNetwork]
"""(number of inputs, key) ↦ a memory core."""


class Recurrent(eqx.Module):
    """Recurrent network (obs, h) ↦ (answer, h'), as encoder → features → core → readout → answer. The object *is* θ.

    A policy or a critic, by what `answer` makes of the readout. Everything but the core is a function of one row, and
    is evaluated on all rows of a window at once; the core alone goes through time.

    - `encode`: observation ↦ vector, or pictures and vector.
    - `features`: the network in front of the core.
    - `core`: (x, h) ↦ (y, h').
    - `readout`: the network behind the core.
    - `answer`: (output, observation) ↦ distribution or value.
    - `spaces`: those that a policy was made for; None if unknown.
    """

    encode: Callable[[PyTree], Any]
    features: Callable[[Any], Float[Array, " I"]]
    core: RecurrentNetwork
    readout: Callable[[Float[Array, " H"]], Float[Array, " F"]]
    answer: Callable[[Float[Array, " F"], PyTree], Any]
    spaces: SpacePair | None = eqx.field(static=True, default=None)

    def initial(self) -> PyTree:
        """Return the core's initial memory."""
        return self.core.initial()

    def __call__(self, obs: PyTree, memory: PyTree) -> tuple[Any, PyTree]:
        """Compute (answer, next memory) from one raw observation and the memory of those before it."""
        require_one_observation(self.spaces, obs)
        y, memory = self.core(self._before(obs), memory)
        return self._after(y, obs), memory

    def unroll(
        self, x: PyTree[Shaped[Array, "T ..."]], begins: Bool[Array, " T"], memory: PyTree
    ) -> tuple[Any, PyTree[Shaped[Array, "T ..."]]]:
        """Compute (answers [T], the memory after each row [T, ...]) at T consecutive observations."""
        y, after = unroll(self.core, map_rows(self._before, 1, x), begins, memory)
        return map_rows(self._after, 1, y, x), after

    def _before(self, obs: PyTree) -> Float[Array, " I"]:
        """Compute the core's input."""
        return self.features(self.encode(obs))

    def _after(self, y: Float[Array, " H"], obs: PyTree) -> Any:
        """Compute the answer from the core's output."""
        return self.answer(self.readout(y), obs)


class Tanh(eqx.Module):
    """x ↦ tanh f(x): bounded features."""

    network: Callable[[Any], Float[Array, " F"]]

    def __call__(self, x: Any) -> Float[Array, " F"]:
        """Return the features."""
        return jnp.tanh(self.network(x))


class ActionDistribution(eqx.Module):
    """Answer of a policy: the head's distribution; the observation is not looked at again."""

    head: Callable[[Float[Array, " F"]], Any]

    def __call__(self, x: Float[Array, " F"], obs: PyTree) -> Any:
        """Return π(·|history)."""
        del obs
        return self.head(x)


class Value(eqx.Module):
    """Answer of a critic: V in the task's own units of return."""

    scale: Callable[[Float[Array, ""]], Float[Array, ""]]

    def __call__(self, x: Float[Array, " 1"], obs: PyTree) -> Float[Array, ""]:
        """Return V(history)."""
        del obs
        return self.scale(x[0])


def recurrent_policy(
    observation_space: spaces.Space,
    action_space: spaces.Space,
    *,
    core: CoreFactory,
    hidden: Sequence[int] = (64, 64),
    normalize: bool = False,
    std: str = "learned",
    squash: bool = False,
    initial_std: float = 1.0,
    key: Key[Array, ""],
) -> Recurrent:
    """Make a policy that remembers for the given spaces, of vectors or of pictures, with an action mask or without.

    - `core`: (number of inputs, key) ↦ memory core, such as `lambda inputs, key: GRU(inputs, 64, key=key)`.
    - `hidden`: sizes of the layers: the first one is in front of the core, all others behind it.

    All else is as in `mlp_policy`.

        >>> import jax, jax.numpy as jnp
        >>> from gymnasium import spaces
        >>> from logpi.policies.cores import GRU
        >>> core = lambda inputs, key: GRU(inputs, 8, key=key)
        >>> policy = recurrent_policy(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), core=core, key=jax.random.key(0))
        >>> pi, memory = policy(jnp.zeros(3), policy.initial())
        >>> pi.logits.shape, memory.shape
        ((2,), (8,))
    """
    head, outputs = head_for_space(action_space, std, squash, initial_std)
    sizes = mask_sizes(observation_space, action_space)
    answer = ActionDistribution(head) if sizes is None else MaskedActionDistribution(head, sizes)
    pair = SpacePair(observation_space, action_space)
    return _recurrent(observation_space, core, hidden, normalize, (outputs, 0.01), answer, pair, key)


def recurrent_critic(
    observation_space: spaces.Space,
    *,
    core: CoreFactory,
    hidden: Sequence[int] = (64, 64),
    normalize: bool = False,
    normalize_returns: bool = False,
    key: Key[Array, ""],
) -> Recurrent:
    """Make a critic that remembers for the given observations; its options are those of the other networks."""
    scale = ReturnScale(initial_moments(())) if normalize_returns else Identity()
    return _recurrent(observation_space, core, hidden, normalize, (1, 1.0), Value(scale), None, key)


def _recurrent(
    space: spaces.Space,
    core: CoreFactory,
    hidden: Sequence[int],
    normalize: bool,
    last: tuple[int, float],
    answer: Callable[[Array, PyTree], Any],
    pair: SpacePair | None,
    key: Key[Array, ""],
) -> Recurrent:
    """Make the network; `last` is the number of outputs and the gain of the last layer."""
    k_features, k_core, k_readout = jr.split(key, 3)
    width = hidden[0]
    if image_leaves(space):
        encode, shapes, rest = image_encoder(space, normalize)
        network = CNN(shapes, rest, (width,), 2**0.5, key=k_features)
    else:
        encode, size = encoding(space, normalize)
        network = MLP((size, width), 2**0.5, key=k_features)
    made = core(width, k_core)
    x = jax.ShapeDtypeStruct((width,), float)
    require_same_memory(made, x, f"the core {type(made).__name__}")
    (units,) = jax.eval_shape(lambda x: made(x, made.initial())[0], x).shape
    readout = MLP((units, *hidden[1:], last[0]), last[1], key=k_readout)
    return Recurrent(encode, Tanh(network), made, readout, answer, pair)
