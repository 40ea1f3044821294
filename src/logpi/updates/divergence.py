"""Which way KL is measured between the policy before a step and after."""

from typing import Any

from jaxtyping import Array, Float


def forward(old: Any, new: Any) -> Float[Array, "*B"]:
    """KL(π_old‖π_new): the default, and that of TRPO."""
    return old.kl(new)


def reverse(old: Any, new: Any) -> Float[Array, "*B"]:
    """KL(π_new‖π_old): the other direction, for whoever asks for it by name."""
    return new.kl(old)
