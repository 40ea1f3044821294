"""The choice of a head for an action space."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from gymnasium import spaces
from jaxtyping import Array

from logpi.distributions.gaussian import Gaussian
from logpi.distributions.protocol import Distribution
from logpi.errors import LogpiError
from logpi.policies.encoder import Path, space_path, subspaces, unsupported
from logpi.policies.heads import (
    BernoulliHead,
    CategoricalHead,
    GaussianHead,
    MultiCategoricalHead,
    ProductHead,
    ReshapeHead,
    StateDependentGaussianHead,
    TanhHead,
)
from logpi.spaces.actions import bounded_dimensions
from logpi.types import Frozen

Fitted = tuple[Any, int]
"""A head, and the number of network outputs it reads."""


def head_for_space(space: spaces.Space, std: str = "learned", squash: bool = False, initial_std: float = 1.0) -> Fitted:
    """Make the head for an action space, and count the network outputs it reads.

    Its actions have the structure and the shapes of the space's: dictionaries for Dict, tuples for Tuple; whole numbers
    from 0 for Discrete and MultiDiscrete; 0 and 1 for MultiBinary; for Box, numbers of which −1 … 1 spans the bounds.

    - `std`: σ of a Gaussian. "learned" (default): one per dimension, the same in every state; "fixed": constant;
      "state": state-dependent, read from the network.
    - `squash`: keep the actions of a Box within its bounds by tanh, instead of clipping them at the bounds.
    - `initial_std`: initial σ > 0, in units of half the box, default 1.

    Raises LogpiError for a space that logpi has no distribution for, naming its path; and for `squash` with a Box that
    is not bounded on all sides.

        >>> actions = spaces.Dict(gear=spaces.Discrete(5), wheel=spaces.Box(-1, 1, (2,)))
        >>> head_for_space(actions)[1]
        7
    """
    vector = lambda size: VECTORS[std](size, initial_std)
    return _fitted(space, (lambda size: _squashed(*vector(size))) if squash else vector, squash, ())


def _learned(size: int, initial_std: float) -> Fitted:
    return GaussianHead(jnp.full(size, math.log(initial_std), float)), size


def _fixed(size: int, initial_std: float) -> Fitted:
    return GaussianHead(Frozen(jnp.full(size, math.log(initial_std), float))), size


def _state(size: int, initial_std: float) -> Fitted:
    return StateDependentGaussianHead(initial_std), 2 * size


VECTORS: Mapping[str, Callable[[int, float], Fitted]] = {"learned": _learned, "fixed": _fixed, "state": _state}


def _squashed(inner: Callable[[Array], Gaussian], outputs: int) -> Fitted:
    return TanhHead(inner), outputs


def _fitted(space: spaces.Space, vector: Callable[[int], Fitted], bounded: bool, path: Path) -> Fitted:
    """Make the head of a space; `vector(size)` makes that of a Box, which needs bounds if `bounded`."""
    inner = lambda: {key: _fitted(part, vector, bounded, (*path, key)) for key, part in subspaces(space).items()}
    match space:
        case spaces.Discrete():
            return CategoricalHead(), int(space.n)
        case spaces.MultiDiscrete():
            sizes = tuple(space.nvec.ravel().tolist())
            return _shaped(MultiCategoricalHead(sizes), space.shape), sum(sizes)
        case spaces.MultiBinary():
            return _shaped(BernoulliHead(), space.shape), math.prod(space.shape)
        case spaces.Box():
            if bounded and not bounded_dimensions(space).all():
                raise LogpiError(
                    f"squash is true, but {space_path('action', path)} is {space}, which lacks bounds on some sides to"
                    " squash actions into; allowed: squash false, or a Box bounded on all sides"
                )
            made, outputs = vector(math.prod(space.shape))
            return _shaped(made, space.shape), outputs
        case spaces.Dict() | spaces.Tuple() if space.spaces:
            parts = inner()
            heads = {key: made for key, (made, _) in parts.items()}
            sizes = tuple(outputs for _, outputs in parts.values())
            return ProductHead(heads if isinstance(space, spaces.Dict) else tuple(heads.values()), sizes), sum(sizes)
    raise unsupported("action", path, space)


def _shaped(made: Callable[[Array], Distribution], shape: tuple[int, ...]) -> Callable[[Array], Distribution]:
    return made if len(shape) == 1 else ReshapeHead(made, shape)
