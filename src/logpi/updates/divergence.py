"""The two directions of KL between the policy before a step and after it."""

from jaxtyping import Array, Float

from logpi.distributions.protocol import Distribution


def forward(old: Distribution, new: Distribution) -> Float[Array, "*B"]:
    """Compute KL(π_old‖π_new): the default, and that of TRPO."""
    return old.kl(new)


def reverse(old: Distribution, new: Distribution) -> Float[Array, "*B"]:
    """Compute KL(π_new‖π_old), the other direction."""
    return new.kl(old)
