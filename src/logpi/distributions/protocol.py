"""What every distribution over actions offers."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float, Key, PyTree


@runtime_checkable
class Distribution(Protocol):
    """A distribution over actions, batched over the leading axes of its parameters.

    Sampling is split in two, `sample = push ∘ noise`, so that a rollout's noise can be drawn once, in one call, and
    handed to whoever acts, on a device or not.
    """

    def noise(self, key: Key[Array, ""]) -> PyTree:
        """Draws that depend on the shape of the parameters alone, never on their values."""
        ...

    def push(self, noise: PyTree) -> PyTree:
        """The action that these draws become: a deterministic map."""
        ...

    def sample(self, key: Key[Array, ""]) -> PyTree:
        """An action, push(noise(key))."""
        ...

    def log_prob(self, action: PyTree) -> Float[Array, "*B"]:
        """log π(a), of the action as it was sampled."""
        ...

    def entropy(self) -> Float[Array, "*B"]:
        """−E log π, in nats."""
        ...

    def kl(self, other: Any) -> Float[Array, "*B"]:
        """KL(self‖other), in nats."""
        ...

    def mode(self) -> PyTree:
        """The action to take when no exploration is wanted."""
        ...

    def to_env(self, action: PyTree) -> PyTree:
        """What the environment is handed for a sampled action (its bounds are the environment's business)."""
        ...
