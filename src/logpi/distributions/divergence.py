"""The two directions of KL between the policy before a step and after it."""

from collections.abc import Callable

from jaxtyping import Array, Float

from logpi.distributions.protocol import Distribution

Direction = Callable[[Distribution, Distribution], Float[Array, "*B"]]
"""(π_old, π_new) ↦ the divergence between them: `forward` or `reverse`."""


def forward(old: Distribution, new: Distribution) -> Float[Array, "*B"]:
    """Compute KL(π_old‖π_new): the default, that of TRPO and PPO."""
    return old.kl(new)


def reverse(old: Distribution, new: Distribution) -> Float[Array, "*B"]:
    """Compute KL(π_new‖π_old), the other direction."""
    return new.kl(old)
